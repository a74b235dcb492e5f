-- Living access tokens whose status is listed: what revocations can name of each.
CREATE TABLE listed_token (
    tenant TEXT NOT NULL,
    list TEXT NOT NULL,
    idx INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    names TEXT NOT NULL,
    PRIMARY KEY (tenant, list, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_token_end ON listed_token (expires_at);
