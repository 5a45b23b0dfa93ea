"""The later versions of the ledger's schema, each a list of statements; the list of versions is in `migrations`."""

# What may be restored, and lists that are replaced. A piece is sealed before it comes here: no id, and no cursor,
# which may hold one, is ever written in clear.
UNDO = (
    "ALTER TABLE intents ADD COLUMN parent_id TEXT",
    "ALTER TABLE intents ADD COLUMN restores TEXT",
    "ALTER TABLE intents ADD COLUMN proof TEXT",
    "CREATE INDEX intents_by_parent ON intents (parent_id) WHERE parent_id IS NOT NULL",
    "CREATE INDEX intents_unproved ON intents (position) WHERE restores IS NOT NULL AND proof IS NULL",
    "ALTER TABLE plans ADD COLUMN purpose TEXT NOT NULL DEFAULT 'removal'",
    "ALTER TABLE plans ADD COLUMN new_ids INTEGER",
    "ALTER TABLE plans ADD COLUMN fingerprint TEXT",
    """
    CREATE TABLE snapshots (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        snapshot_id TEXT NOT NULL UNIQUE,
        purpose TEXT NOT NULL,
        principal TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        project_id TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        expected INTEGER NOT NULL,
        count INTEGER NOT NULL,
        pieces INTEGER NOT NULL,
        set_hash TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        expires_at TEXT NOT NULL
    )
    """,
    "CREATE INDEX snapshots_by_group ON snapshots (target_group_id, purpose)",
    """
    CREATE TABLE snapshot_pieces (
        snapshot_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (snapshot_id, number)
    )
    """,
    """
    CREATE TABLE replacements (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        replacement_id TEXT NOT NULL UNIQUE,
        removal_id TEXT NOT NULL UNIQUE,
        principal TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        project_id TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        id_type TEXT NOT NULL,
        ids INTEGER NOT NULL,
        stored_before INTEGER NOT NULL,
        stage TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        plan_id TEXT,
        fingerprint TEXT NOT NULL,
        idempotency_key TEXT,
        error TEXT,
        proof TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX one_running_replacement ON replacements (target_group_id, project_id, account_id)
    WHERE stage NOT IN ('done', 'refused', 'restored', 'stuck')
    """,
    """
    CREATE UNIQUE INDEX one_replacement_per_key ON replacements (principal, idempotency_key)
    WHERE idempotency_key IS NOT NULL AND stage <> 'refused'
    """,
)

# Tasks: names of jobs for the clients of one principal. They hold nothing of a job, which is looked at each time.
TASKS = (
    """
    CREATE TABLE tasks (
        task_id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        kind TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        project_id TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        job_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        note TEXT
    )
    """,
    """
    CREATE UNIQUE INDEX one_task_per_job
    ON tasks (job_id, kind, target_group_id, project_id, account_id, principal)
    """,
    "CREATE INDEX tasks_by_expiry ON tasks (expires_at)",
)

# Following: what processes tell each other, and the jobs that were started elsewhere.
FOLLOWING = (
    "CREATE TABLE updates (position INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, uri TEXT NOT NULL)",
    """
    CREATE TABLE elsewhere (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        project_id TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        job_id TEXT NOT NULL,
        job TEXT,
        wanted_until TEXT,
        UNIQUE (job_id, target_group_id, kind, project_id, account_id)
    )
    """,
    "CREATE INDEX wanted_elsewhere ON elsewhere (wanted_until) WHERE wanted_until IS NOT NULL",
)

# Append-only by the database's own rules: an entry is neither changed nor deleted (a REPLACE, which fires no trigger
# for what it deletes, has no number to take), and takes the next number and the hash of the entry before it.
AUDIT = (
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        principal TEXT NOT NULL,
        event TEXT NOT NULL,
        subject TEXT NOT NULL,
        account_id INTEGER,
        project_id TEXT,
        target_group_id TEXT,
        intent_id TEXT,
        plan_id TEXT,
        job_id TEXT,
        detail TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    "CREATE INDEX audit_by_group ON audit (target_group_id)",
    """
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_a_chain BEFORE INSERT ON audit
    WHEN NEW.seq IS NOT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) + 1
    OR NEW.previous IS NOT coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
)

# Staged files: tickets that only their principal can use, under hashes of what names them, and the sealed bytes. What
# used a ticket up is an intent or a replacement; `wish` and `report` let the same call be answered again without them.
STAGING = (
    """
    CREATE TABLE tickets (
        ticket_id TEXT PRIMARY KEY,
        handle_hash TEXT NOT NULL UNIQUE,
        url_hash TEXT NOT NULL UNIQUE,
        principal TEXT NOT NULL,
        account_id INTEGER NOT NULL,
        project_id TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        bytes_max INTEGER NOT NULL,
        pieces INTEGER,
        emptied INTEGER NOT NULL DEFAULT 0,
        used_by TEXT,
        wish TEXT,
        report TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        expires_at TEXT NOT NULL
    )
    """,
    "CREATE INDEX tickets_by_principal ON tickets (principal, expires_at)",
    "CREATE INDEX tickets_to_empty ON tickets (expires_at) WHERE emptied = 0",
    """
    CREATE TABLE ticket_pieces (
        ticket_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (ticket_id, number)
    )
    """,
)

# What each principal opened on a day (UTC), and what the token of each claimed when it was last seen.
USAGE = (
    """
    CREATE TABLE usage (
        principal TEXT NOT NULL,
        day TEXT NOT NULL,
        uploads INTEGER NOT NULL,
        ids INTEGER NOT NULL,
        removals INTEGER NOT NULL,
        PRIMARY KEY (principal, day)
    )
    """,
    "CREATE TABLE principals (principal TEXT PRIMARY KEY, claims TEXT NOT NULL, seen_at TEXT NOT NULL)",
)

# Refused calls that repeat one another are counted here and told in one entry.
REFUSALS = (
    """
    CREATE TABLE refusals (
        principal TEXT NOT NULL,
        subject TEXT NOT NULL,
        code TEXT NOT NULL,
        since TEXT NOT NULL,
        latest TEXT NOT NULL,
        entries INTEGER NOT NULL,
        further INTEGER NOT NULL,
        PRIMARY KEY (principal, subject, code)
    )
    """,
    "CREATE INDEX refusals_by_age ON refusals (since)",
)
# They are counted for each target group and each refusing setting; without any of the two it is ''.
REFUSALS_APART = (
    "ALTER TABLE refusals RENAME TO refusals_before",
    """
    CREATE TABLE refusals (
        principal TEXT NOT NULL,
        subject TEXT NOT NULL,
        code TEXT NOT NULL,
        setting TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        account_id INTEGER,
        project_id TEXT,
        since TEXT NOT NULL,
        latest TEXT NOT NULL,
        entries INTEGER NOT NULL,
        further INTEGER NOT NULL,
        PRIMARY KEY (principal, subject, code, setting, target_group_id)
    )
    """,
    """
    INSERT INTO refusals (principal, subject, code, setting, target_group_id, since, latest, entries, further)
    SELECT principal, subject, code, '', '', since, latest, entries, further FROM refusals_before
    """,
    "DROP TABLE refusals_before",
    "CREATE INDEX refusals_by_age ON refusals (since)",
    """
    CREATE TABLE refused_groups (
        principal TEXT NOT NULL,
        subject TEXT NOT NULL,
        code TEXT NOT NULL,
        target_group_id TEXT NOT NULL,
        PRIMARY KEY (principal, subject, code, target_group_id)
    )
    """,
)
# Who had a job of elsewhere followed first: nobody may take all places.
FOLLOWED_FOR = ("ALTER TABLE elsewhere ADD COLUMN wanted_by TEXT",)

# What the token of whoever asked for something claimed stays with it, for what is done about it later and elsewhere.
CLAIMS = (
    "ALTER TABLE intents ADD COLUMN claims TEXT",
    "ALTER TABLE replacements ADD COLUMN claims TEXT",
)

# Approvals outside the client. A code names a plan and approves nothing; of what may be used once a digest is kept.
APPROVALS = (
    """
    CREATE TABLE approvals (
        plan_id TEXT PRIMARY KEY,
        code TEXT NOT NULL UNIQUE,
        decision TEXT NOT NULL,
        approver TEXT,
        decided_at TEXT,
        receipt TEXT
    )
    """,
    "CREATE TABLE approval_attempts (who TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE INDEX approval_attempts_of ON approval_attempts (who, at)",
    """
    CREATE TABLE used_once (
        digest TEXT PRIMARY KEY,
        purpose TEXT NOT NULL,
        subject TEXT NOT NULL,
        expires_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE passkeys (
        credential_id TEXT PRIMARY KEY,
        principal TEXT NOT NULL,
        public_key BLOB NOT NULL,
        signed INTEGER NOT NULL,
        created_at TEXT NOT NULL
    )
    """,
    "CREATE INDEX passkeys_of ON passkeys (principal)",
    "CREATE INDEX intents_by_plan ON intents (plan_id) WHERE plan_id IS NOT NULL",
    "CREATE INDEX replacements_by_plan ON replacements (plan_id) WHERE plan_id IS NOT NULL",
)

# What is forgotten after minutes is found without a look at everything.
ATTEMPTS = ("CREATE INDEX approval_attempts_by_age ON approval_attempts (at)",)
