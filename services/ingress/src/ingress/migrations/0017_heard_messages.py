"""0017: possible opt-outs, and messages of people whose number is hidden."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0017"
down_revision = "0016"

SQL = """
CREATE TABLE ingress.possible_opt_out (
    package_id text        NOT NULL,
    recipient  text        NOT NULL,
    profile_id text        NOT NULL,
    text       text        NOT NULL,
    evidence   text        NOT NULL,
    at         timestamptz NOT NULL,
    decision   text,
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (package_id, recipient)
);
CREATE INDEX possible_opt_out_age ON ingress.possible_opt_out (noted_at);
CREATE INDEX possible_opt_out_open ON ingress.possible_opt_out (package_id, recipient) WHERE decision IS NULL;
COMMENT ON TABLE ingress.possible_opt_out IS
    'The newest message of each person that probably asks for no more messages. decision: suppressed or dismissed, or
     null while nobody has decided. noted_at is the machine''s time.';

CREATE TABLE ingress.hidden_id (
    profile_id text        NOT NULL,
    hidden_id  text        NOT NULL,
    recipient  text        NOT NULL,
    learned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (profile_id, hidden_id)
);
CREATE INDEX hidden_id_age ON ingress.hidden_id (learned_at);
COMMENT ON TABLE ingress.hidden_id IS
    'The phone numbers behind the ids by which WhatsApp names people whose number is hidden.';

CREATE TABLE ingress.hidden_message (
    profile_id         text        NOT NULL,
    hidden_id          text        NOT NULL,
    gateway_message_id text        NOT NULL,
    package_id         text        NOT NULL,
    report             text        NOT NULL,
    kind               text        NOT NULL,
    text               text,
    at                 timestamptz NOT NULL,
    kept_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (profile_id, hidden_id, gateway_message_id)
);
CREATE INDEX hidden_message_age ON ingress.hidden_message (kept_at);
CREATE INDEX hidden_message_by_package ON ingress.hidden_message (package_id, profile_id, hidden_id);
COMMENT ON TABLE ingress.hidden_message IS
    'Messages of people whose number is not known. They take effect when the number becomes known. report: message,
     edit, unexpected, stop or resume.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
