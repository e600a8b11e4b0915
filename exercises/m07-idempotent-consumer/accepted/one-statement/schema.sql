CREATE TABLE IF NOT EXISTS points (user_id text PRIMARY KEY, balance bigint NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS applied_events (id text PRIMARY KEY);
