-- How often the database went back in time, and the timeline that it was last seen on. A family's
-- row that was last written in an earlier epoch may be older than the token that its client holds.
CREATE TABLE epoch (
    key bigint NOT NULL PRIMARY KEY CHECK (key = 0),
    number bigint NOT NULL,
    raised_at bigint NOT NULL,
    timeline text
);
INSERT INTO epoch (key, number, raised_at) VALUES (0, 0, 0);

ALTER TABLE family ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- How far an unfinished copy into this database has come; as long as there is a row, nobody may
-- serve from it.
CREATE TABLE copying (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    place text,
    finished boolean NOT NULL
);
