-- Version 1. Names and keys are bytes, so that their order is that of the program and any character fits; the views at
-- the end show them as text. Members, slots and lanes are those of docs/decisions/0009-leases-and-take-over.md.

-- One row: the routing table's version, the last id that a member was given, and what all who serve from this store have
-- to agree on and nobody else may know: their answers about accounts that do not exist are made with it.
CREATE TABLE cluster (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version bigint NOT NULL,
    last_member bigint NOT NULL,
    secret bytea
);
INSERT INTO cluster (version, last_member) VALUES (0, 0);

-- The members and their leases: a lease is a counter.
CREATE TABLE members (
    id bigint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    info text NOT NULL,
    is_draining boolean NOT NULL,
    lease bigint NOT NULL
);

-- Who owns a slot, and since which change of owners. Slots that nobody ever owned have no row.
CREATE TABLE slots (
    number integer PRIMARY KEY,
    member bigint NOT NULL,
    epoch bigint NOT NULL
);

-- A writing connection: its last batch, which of that batch's owners were refused (by their place in it), and how often
-- slots were taken from its member. Member 0 is a server that is no cluster.
CREATE TABLE lanes (
    member bigint NOT NULL,
    lane integer NOT NULL,
    number bigint NOT NULL,
    moves bigint NOT NULL,
    fenced integer[] NOT NULL,
    conflict integer[] NOT NULL,
    PRIMARY KEY (member, lane)
);

-- Whoever has something: the kind's letter and the address, and the greatest id that the log ever had. `owner` is `name`,
-- or a digest of a long one.
CREATE TABLE owners (
    owner bytea PRIMARY KEY,
    name bytea NOT NULL,
    slot integer NOT NULL,
    tail bigint NOT NULL
);
CREATE INDEX owners_by_slot ON owners (slot, owner);

-- `long_key` is the key where `key` is the digest of a long one.
CREATE TABLE records (
    owner bytea NOT NULL,
    collection bytea NOT NULL,
    key bytea NOT NULL,
    long_key bytea,
    version bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (owner, collection, key)
);

CREATE TABLE log (
    owner bytea NOT NULL,
    id bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (owner, id)
);

-- For whoever looks: text where it is text.
CREATE VIEW shown_records AS
    SELECT convert_from(o.name, 'UTF8') AS owner, convert_from(r.collection, 'UTF8') AS collection,
        encode(coalesce(r.long_key, r.key), 'escape') AS key, r.version, encode(r.value, 'escape') AS value
    FROM records r JOIN owners o ON o.owner = r.owner;
CREATE VIEW shown_log AS
    SELECT convert_from(o.name, 'UTF8') AS owner, l.id, encode(l.value, 'escape') AS value
    FROM log l JOIN owners o ON o.owner = l.owner;
