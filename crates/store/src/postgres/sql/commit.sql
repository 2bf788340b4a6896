-- A batch, whole, in one round trip. Its lane's row is advanced first; every other write hangs on what that returns:
-- without a row nothing is written, and with it all but what belongs to the owners that it names as refused.
--
-- `statement.rs` makes what a batch needs of it. What stands between `--[ group` and `--]` is only for batches that have
-- such rows. A part's name in braces is its rows: of arrays that are unnested together, or the only one; `ix` is the
-- owner's place in the batch.
WITH lane AS (
    UPDATE lanes
    SET number = $3::bigint,
        -- Owners whose slot is not this member's in the epoch of their sets.
        fenced = ARRAY(
            SELECT o.ix FROM {owners}
            WHERE NOT $5::boolean AND NOT EXISTS (
                SELECT 1 FROM slots s WHERE s.number = o.slot AND s.member = $1::bigint AND s.epoch = o.epoch
            )
        ),
        -- Owners of whom something is not as expected.
        conflict = ARRAY(
            SELECT NULL::integer WHERE false
--[ appended
            UNION ALL
            SELECT t.ix FROM {tails} JOIN owners w ON w.owner = t.owner WHERE w.tail >= t.first_id
--]
--[ rare
            UNION ALL
            SELECT x.ix FROM {erased} JOIN owners w ON w.owner = x.owner WHERE w.tail >= x.first_id
            UNION ALL
            SELECT g.ix FROM {guards}
            LEFT JOIN records r ON r.owner = g.owner AND r.collection = g.collection AND r.key = g.key
            WHERE coalesce(r.version, 0) <> g.version
--]
        )
    WHERE member = $1::bigint AND lane = $2::integer AND number = $3::bigint - 1 AND moves = $4::bigint
    RETURNING fenced, conflict, fenced || conflict AS refused
)
--[ appended
, tails_written AS (
    INSERT INTO owners (owner, name, slot, tail)
    SELECT t.owner, t.name, t.slot, t.tail FROM {tails}
    WHERE t.ix <> ALL ((SELECT refused FROM lane)::integer[])
    ON CONFLICT (owner) DO UPDATE SET tail = excluded.tail
)
, entries_written AS (
    INSERT INTO log (owner, id, value)
    SELECT e.owner, e.id, e.value FROM {entries}
    WHERE e.ix <> ALL ((SELECT refused FROM lane)::integer[])
--[ rare
    -- Of an erased log, whose entries are still there for this statement.
    ON CONFLICT (owner, id) DO UPDATE SET value = excluded.value
--]
)
--]
--[ named
, owners_named AS (
    INSERT INTO owners (owner, name, slot, tail)
    SELECT n.owner, n.name, n.slot, 0 FROM {named}
    WHERE n.ix <> ALL ((SELECT refused FROM lane)::integer[])
    ON CONFLICT (owner) DO NOTHING
)
--]
--[ put
-- A version is counted on from the one stored.
, records_put AS (
    INSERT INTO records AS r (owner, collection, key, long_key, version, value)
    SELECT p.owner, p.collection, p.key, p.long_key, p.version, p.value FROM {puts}
    WHERE p.ix <> ALL ((SELECT refused FROM lane)::integer[])
    ON CONFLICT (owner, collection, key) DO UPDATE SET version = r.version + excluded.version, value = excluded.value
)
--]
--[ removed
, entries_removed AS (
    DELETE FROM log l USING {removed}
    WHERE l.owner = a.owner AND l.id = a.id AND a.ix <> ALL ((SELECT refused FROM lane)::integer[])
)
--]
--[ rare
, entries_amended AS (
    UPDATE log l SET value = m.value FROM {amended}
    WHERE l.owner = m.owner AND l.id = m.id AND m.ix <> ALL ((SELECT refused FROM lane)::integer[])
)
-- Deleted before in the same batch, so that the version is known.
, records_replaced AS (
    INSERT INTO records (owner, collection, key, long_key, version, value)
    SELECT q.owner, q.collection, q.key, q.long_key, q.version, q.value FROM {replaced}
    WHERE q.ix <> ALL ((SELECT refused FROM lane)::integer[])
    ON CONFLICT (owner, collection, key) DO UPDATE SET version = excluded.version, value = excluded.value
)
, records_deleted AS (
    DELETE FROM records r USING {deleted}
    WHERE r.owner = d.owner AND r.collection = d.collection AND r.key = d.key
        AND d.ix <> ALL ((SELECT refused FROM lane)::integer[])
)
, records_erased AS (
    DELETE FROM records r USING {erased}
    WHERE r.owner = x.owner AND x.ix <> ALL ((SELECT refused FROM lane)::integer[]) AND NOT EXISTS (
        SELECT 1 FROM {replaced} WHERE q.owner = r.owner AND q.collection = r.collection AND q.key = r.key
    )
)
, entries_erased AS (
    DELETE FROM log l USING {erased}
    WHERE l.owner = x.owner AND x.ix <> ALL ((SELECT refused FROM lane)::integer[])
        AND NOT EXISTS (SELECT 1 FROM {entries} WHERE e.owner = l.owner AND e.id = l.id)
)
, owners_gone AS (
    DELETE FROM owners w USING {erased}
    WHERE w.owner = x.owner AND NOT x.is_kept AND x.ix <> ALL ((SELECT refused FROM lane)::integer[])
)
--]
SELECT fenced, conflict FROM lane
