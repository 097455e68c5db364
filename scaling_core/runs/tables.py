"""The database's tables, and the triggers that keep predictions and measured losses as they are."""

from __future__ import annotations

from scaling_core.language import t

TABLES = """
CREATE TABLE sweeps (
    id TEXT PRIMARY KEY,
    mode TEXT NOT NULL,
    device TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped', 'failed', 'deleting')),
    message TEXT,
    pid INTEGER NOT NULL,
    pid_created REAL NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL,
    ended_at REAL,
    plan TEXT NOT NULL,
    corpus TEXT NOT NULL,
    machine TEXT NOT NULL
);
CREATE TABLE runs (
    sweep TEXT NOT NULL REFERENCES sweeps (id),
    id TEXT NOT NULL,
    place INTEGER NOT NULL,
    track TEXT NOT NULL,
    rung INTEGER NOT NULL,
    horizon REAL NOT NULL,
    seed INTEGER NOT NULL,
    rate_factor REAL NOT NULL,
    held_out INTEGER NOT NULL,
    params INTEGER NOT NULL,
    params_non_embedding INTEGER NOT NULL,
    params_total INTEGER NOT NULL,
    planned_tokens INTEGER NOT NULL,
    flops REAL NOT NULL,
    flops_exact REAL NOT NULL,
    line_key TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
    tokens INTEGER NOT NULL DEFAULT 0,
    loss REAL,
    se REAL,
    bits_per_byte REAL,
    censored INTEGER NOT NULL DEFAULT 0,
    copied_from TEXT,
    unique_tokens INTEGER,
    seconds REAL,
    started_at REAL,
    finished_at REAL,
    message TEXT,
    PRIMARY KEY (sweep, id),
    CHECK ((state = 'finished') = (loss IS NOT NULL))
);
CREATE TABLE curve (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep TEXT NOT NULL REFERENCES sweeps (id),
    track TEXT NOT NULL,
    step INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    flops REAL NOT NULL,
    train_loss REAL,
    validation_loss REAL,
    learning_rate REAL NOT NULL,
    tokens_per_second REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,
    at REAL NOT NULL,
    UNIQUE (sweep, track, step)
);
CREATE TABLE predictions (
    sweep TEXT NOT NULL,
    run_id TEXT NOT NULL,
    params INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    loss REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    level REAL NOT NULL,
    form TEXT NOT NULL,
    constants TEXT NOT NULL,
    fitted_runs TEXT NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (sweep, run_id),
    FOREIGN KEY (sweep, run_id) REFERENCES runs (sweep, id)
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep TEXT NOT NULL REFERENCES sweeps (id),
    at REAL NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    text TEXT NOT NULL
);
CREATE INDEX runs_by_key ON runs (key);
CREATE INDEX runs_by_line ON runs (line_key);
CREATE INDEX events_of_sweep ON events (sweep);
CREATE INDEX curve_in_order ON curve (sweep, seq);

CREATE TRIGGER predictions_stay BEFORE UPDATE ON predictions BEGIN
    SELECT RAISE(ABORT, 'a prediction cannot be changed');
END;
CREATE TRIGGER predictions_once BEFORE INSERT ON predictions
WHEN EXISTS (SELECT 1 FROM predictions WHERE sweep = NEW.sweep AND run_id = NEW.run_id) BEGIN
    SELECT RAISE(ABORT, 'a prediction cannot be changed');
END;
CREATE TRIGGER predictions_first BEFORE INSERT ON predictions
WHEN EXISTS (SELECT 1 FROM runs WHERE sweep = NEW.sweep AND id = NEW.run_id AND loss IS NOT NULL) BEGIN
    SELECT RAISE(ABORT, 'a prediction must come before the measurement');
END;
CREATE TRIGGER predictions_kept BEFORE DELETE ON predictions
WHEN NOT EXISTS (SELECT 1 FROM sweeps WHERE id = OLD.sweep AND state = 'deleting') BEGIN
    SELECT RAISE(ABORT, 'a prediction goes only with its whole sweep');
END;
CREATE TRIGGER losses_stay BEFORE UPDATE ON runs
WHEN OLD.loss IS NOT NULL AND NEW.loss IS NOT OLD.loss BEGIN
    SELECT RAISE(ABORT, 'a measured loss cannot be changed');
END;
"""


def refusals() -> dict[str, str]:
    """What the triggers say, in the reader's language."""
    return {
        "a prediction cannot be changed": t("a prediction cannot be changed"),
        "a prediction must come before the measurement": t("a prediction must come before the measurement"),
        "a prediction goes only with its whole sweep": t("a prediction goes only with its whole sweep"),
        "a measured loss cannot be changed": t("a measured loss cannot be changed"),
    }
