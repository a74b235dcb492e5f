-- Living access tokens whose status is listed: what revocations can name of each.
CREATE TABLE listed_token (
    tenant text COLLATE "C" NOT NULL,
    list text COLLATE "C" NOT NULL,
    idx bigint NOT NULL,
    expires_at bigint NOT NULL,
    names text NOT NULL,
    PRIMARY KEY (tenant, list, idx)
);
CREATE INDEX listed_token_end ON listed_token (expires_at);
