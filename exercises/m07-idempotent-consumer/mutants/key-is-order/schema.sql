CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);

-- One row for every event that was applied. Its primary key is what settles a dispute between two replicas.
CREATE TABLE IF NOT EXISTS inbox (
    event_id   text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
