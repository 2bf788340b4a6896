-- A batch, whole, in one round trip. Its lane's row is advanced first; every write hangs on what that returns: without a
-- row nothing is written, and with it all but what belongs to the owners that it names as refused. Arrays that are
-- unnested together are the columns of rows; `ix` is the owner's place in the batch.
WITH owner_set AS (
    SELECT * FROM unnest($6::integer[], $7::bytea[], $8::bytea[], $9::integer[], $10::bigint[], $11::bigint[],
        $12::bigint[], $13::boolean[], $14::boolean[])
        AS o(ix, owner, name, slot, epoch, first_id, tail, is_erased, is_kept)
),
put AS (
    SELECT * FROM unnest($20::integer[], $21::bytea[], $22::bytea[], $23::bytea[], $24::bytea[], $25::bigint[],
        $26::boolean[], $27::bytea[])
        AS p(ix, owner, collection, key, long_key, version, is_added, value)
),
entry AS (
    SELECT * FROM unnest($32::integer[], $33::bytea[], $34::bigint[], $35::bytea[]) AS e(ix, owner, id, value)
),
-- Owners whose slot is not this member's in the epoch of their sets.
fenced AS (
    SELECT coalesce(array_agg(o.ix), '{}') AS refused
    FROM owner_set o LEFT JOIN slots s ON s.number = o.slot AND s.member = $1 AND s.epoch = o.epoch
    WHERE s.number IS NULL AND NOT $5::boolean
),
-- Owners of whom something is not as expected.
conflict AS (
    SELECT coalesce(array_agg(c.ix), '{}') AS refused
    FROM (
        SELECT o.ix FROM owner_set o JOIN owners w ON w.owner = o.owner WHERE w.tail >= o.first_id
        UNION
        SELECT g.ix
        FROM unnest($15::integer[], $16::bytea[], $17::bytea[], $18::bytea[], $19::bigint[])
            AS g(ix, owner, collection, key, version)
        LEFT JOIN records r ON r.owner = g.owner AND r.collection = g.collection AND r.key = g.key
        WHERE coalesce(r.version, 0) <> g.version
    ) AS c
),
lane AS (
    UPDATE lanes
    SET number = $3::bigint, fenced = (SELECT refused FROM fenced), conflict = (SELECT refused FROM conflict)
    WHERE member = $1::bigint AND lane = $2::integer AND number = $3::bigint - 1 AND moves = $4::bigint
    RETURNING fenced, conflict
),
verdict AS (SELECT fenced || conflict AS refused FROM lane),
owners_written AS (
    INSERT INTO owners (owner, name, slot, tail)
    SELECT o.owner, o.name, o.slot, o.tail FROM owner_set o
    WHERE o.ix <> ALL ((SELECT refused FROM verdict)::integer[]) AND o.is_kept
        AND (o.tail > 0 OR o.is_erased OR NOT EXISTS (SELECT 1 FROM owners w WHERE w.owner = o.owner))
    ON CONFLICT (owner) DO UPDATE SET tail = excluded.tail
),
owners_gone AS (
    DELETE FROM owners w USING owner_set o
    WHERE w.owner = o.owner AND o.ix <> ALL ((SELECT refused FROM verdict)::integer[])
        AND o.is_erased AND NOT o.is_kept
),
-- A version is counted on from the one stored, or is known.
records_put AS (
    INSERT INTO records (owner, collection, key, long_key, version, value)
    SELECT p.owner, p.collection, p.key, p.long_key,
        p.version + CASE WHEN p.is_added THEN coalesce(r.version, 0) ELSE 0 END, p.value
    FROM put p LEFT JOIN records r ON r.owner = p.owner AND r.collection = p.collection AND r.key = p.key
    WHERE p.ix <> ALL ((SELECT refused FROM verdict)::integer[])
    ON CONFLICT (owner, collection, key) DO UPDATE SET version = excluded.version, value = excluded.value
),
records_deleted AS (
    DELETE FROM records r
    USING unnest($28::integer[], $29::bytea[], $30::bytea[], $31::bytea[]) AS d(ix, owner, collection, key)
    WHERE r.owner = d.owner AND r.collection = d.collection AND r.key = d.key
        AND d.ix <> ALL ((SELECT refused FROM verdict)::integer[])
),
records_erased AS (
    DELETE FROM records r USING owner_set o
    WHERE o.is_erased AND r.owner = o.owner AND o.ix <> ALL ((SELECT refused FROM verdict)::integer[])
        AND NOT EXISTS (
            SELECT 1 FROM put p WHERE p.owner = r.owner AND p.collection = r.collection AND p.key = r.key
        )
),
entries_written AS (
    INSERT INTO log (owner, id, value)
    SELECT e.owner, e.id, e.value FROM entry e WHERE e.ix <> ALL ((SELECT refused FROM verdict)::integer[])
    ON CONFLICT (owner, id) DO UPDATE SET value = excluded.value
),
entries_amended AS (
    UPDATE log l SET value = a.value
    FROM unnest($36::integer[], $37::bytea[], $38::bigint[], $39::bytea[]) AS a(ix, owner, id, value)
    WHERE l.owner = a.owner AND l.id = a.id AND a.ix <> ALL ((SELECT refused FROM verdict)::integer[])
),
entries_removed AS (
    DELETE FROM log l USING unnest($40::integer[], $41::bytea[], $42::bigint[]) AS a(ix, owner, id)
    WHERE l.owner = a.owner AND l.id = a.id AND a.ix <> ALL ((SELECT refused FROM verdict)::integer[])
),
entries_erased AS (
    DELETE FROM log l USING owner_set o
    WHERE o.is_erased AND l.owner = o.owner AND o.ix <> ALL ((SELECT refused FROM verdict)::integer[])
        AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = l.owner AND e.id = l.id)
)
SELECT fenced, conflict FROM lane
