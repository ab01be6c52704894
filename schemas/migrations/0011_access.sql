-- Who did what, for admins: over HTTP nobody else may query it.
CREATE OR REPLACE VIEW audit (
    at      DateTime64(6, 'UTC') COMMENT 'When',
    actor   String COMMENT 'Who: a user, the command and the user of the system who ran it, or users file for a change found in it',
    action  String COMMENT 'What was done: login, login_failed, logout, open_session, export, publish_rules, change_user, sql and others',
    object  String COMMENT 'To what: a session, a user, an export, a rule pack',
    detail  String COMMENT 'Further facts, JSON, empty for none',
    address String COMMENT 'Address of the client, empty for commands'
) AS
SELECT at, actor, action, object, detail, address FROM audit_log;
