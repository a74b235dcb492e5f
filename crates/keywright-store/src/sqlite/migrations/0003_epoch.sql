-- How often the store went back in time. A family's row that was last written in an earlier epoch
-- may be older than the token that its client holds.
CREATE TABLE epoch (
    key INTEGER PRIMARY KEY CHECK (key = 0),
    number INTEGER NOT NULL,
    raised_at INTEGER NOT NULL
) STRICT;
INSERT INTO epoch (key, number, raised_at) VALUES (0, 0, 0);

ALTER TABLE family ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

-- How far an unfinished copy into this store has come; as long as there is a row, nobody may serve
-- from it.
CREATE TABLE copying (
    name TEXT NOT NULL PRIMARY KEY,
    place TEXT,
    finished INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
