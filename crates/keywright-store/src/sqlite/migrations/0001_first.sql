-- Moments are milliseconds since the Unix epoch. Random identifiers are stored as their 16 bytes,
-- others as they are: hence ANY. Columns hold what statements ask about; `body` is JSON.
-- No auto_vacuum: free pages are used again, and a table of a steady size keeps its file so.

CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY,
    disabled INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO tenant (id, disabled, not_before, body) VALUES (
    'default', 0, 0,
    '{"id":"default","display_name":"Keywright","profile":"oauth21","disabled":false,'
    || '"not_before":0,"created_at":0}'
);

-- The key is never used again: what belongs to a deleted client belongs to nobody, even if another
-- client takes the identifier.
CREATE TABLE client (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

-- Clients whose grants the sweeper has yet to delete.
CREATE TABLE deleted_client (
    key INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE user (
    tenant TEXT NOT NULL,
    sub ANY NOT NULL,
    username TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    password_hash TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, sub),
    UNIQUE (tenant, username)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id ANY NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    sub ANY NOT NULL,
    cookie BLOB NOT NULL UNIQUE,
    authenticated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_of_user ON session (tenant, sub);
CREATE INDEX session_end ON session (expires_at);

CREATE TABLE user_grant (
    id ANY NOT NULL PRIMARY KEY,
    client INTEGER NOT NULL,
    sub ANY NOT NULL,
    session ANY NOT NULL,
    updated_at INTEGER NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    UNIQUE (client, sub)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_grant_of_user ON user_grant (sub);

-- state: 0 issued, 1 redeemed, 2 burned.
CREATE TABLE code (
    hash BLOB NOT NULL PRIMARY KEY,
    client INTEGER NOT NULL,
    sub ANY NOT NULL,
    session ANY NOT NULL,
    user_grant ANY NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    jti TEXT,
    family ANY,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX code_birth ON code (created_at);

-- What many families have in common, so that a family stays small. Deleting a client's shapes
-- takes its families with them.
CREATE TABLE family_shape (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    client INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (client, body)
) STRICT;

CREATE TABLE family (
    key INTEGER PRIMARY KEY,
    id ANY NOT NULL UNIQUE,
    shape INTEGER NOT NULL,
    sub ANY NOT NULL,
    user_grant ANY NOT NULL,
    session ANY NOT NULL,
    offline INTEGER NOT NULL,
    revoked INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    current BLOB NOT NULL,
    parent BLOB,
    sealed_child BLOB
) STRICT;
CREATE INDEX family_of_user ON family (sub);
CREATE INDEX family_end ON family (absolute_expires_at);

CREATE TABLE resource (
    tenant TEXT NOT NULL,
    identifier TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, identifier)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
    tenant TEXT NOT NULL,
    kid TEXT NOT NULL,
    alg TEXT NOT NULL,
    sealed_private BLOB NOT NULL,
    public TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    active_at INTEGER NOT NULL,
    retire_at INTEGER,
    gone_at INTEGER,
    PRIMARY KEY (tenant, kid)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE one_time (
    key BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_end ON one_time (expires_at);

CREATE TABLE audit (
    tenant TEXT NOT NULL,
    seq INTEGER NOT NULL,
    request ANY,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;
-- Request identifiers are random. Indexed in stretches of 4096 events, new ones fall on few pages,
-- and a search asks each stretch.
CREATE INDEX audit_of_request ON audit (tenant, seq >> 12, request) WHERE request IS NOT NULL;

CREATE TABLE refusal (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX refusal_of_request ON refusal (request);

-- kind: client, keys, resources, tenant.
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    client TEXT,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE revocation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revocation_of_target ON revocation (tenant, target);
CREATE INDEX revocation_end ON revocation (expires_at);

CREATE TABLE node (
    id TEXT NOT NULL PRIMARY KEY,
    machine TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    change INTEGER NOT NULL,
    revocation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Written by readiness checks, so that a disk that takes no writes is noticed.
CREATE TABLE heartbeat (
    key INTEGER PRIMARY KEY CHECK (key = 0),
    beats INTEGER NOT NULL
) STRICT;
INSERT INTO heartbeat (key, beats) VALUES (0, 0);
