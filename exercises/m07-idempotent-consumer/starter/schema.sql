-- Run once, before the worker is started for the first time, by the role that the worker connects with.
-- The table of balances is given: its name and its columns stay as they are.
CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);

-- What must the worker remember that it does not remember yet?
