-- Guesses that failed, counted by all nodes together; the key is the hash of who guessed at what.
CREATE TABLE failure (
    key bytea NOT NULL PRIMARY KEY,
    since bigint NOT NULL,
    count bigint NOT NULL
);
CREATE INDEX failure_birth ON failure (since);
