CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);

-- One row for every event that was applied.
CREATE TABLE IF NOT EXISTS inbox (
    event_id   uuid NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
