CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);
