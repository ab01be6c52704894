-- Tables. Nobody queries them but the product itself: people and dashboards read the views of 0002.
--
-- Rules that keep "replaced as a whole" true: no PARTITION BY on anything that can change, because rows in different
-- partitions never merge; nothing mutable in a sorting key; no materialised views, because they would count a replaced
-- row twice. Every statement may run again without harm, and every column has a comment.
-- {{replicated}} is empty, or Replicated on a cluster; {{fsync}} is 1, or 0 where power loss does not matter.

CREATE TABLE IF NOT EXISTS settings (
    name  String COMMENT 'Name of the setting, such as timezone',
    value String COMMENT 'Its value',
    at    DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When it was set; the latest counts'
) ENGINE = {{replicated}}ReplacingMergeTree(at) ORDER BY name
COMMENT 'Settings that the views depend on';

-- Read by scattered session_id before every write: small granules and blocks (1,000 known states among 200,000 load at
-- two thirds of the cost).
CREATE TABLE IF NOT EXISTS transcripts (
    session_id      String COMMENT 'Session',
    version         UInt64 COMMENT 'revision << 20 | number of distinct messages seen; the greatest wins',
    revision        UInt16 COMMENT 'Highest session revision seen',
    closed          Bool COMMENT 'Whether an end was seen',
    seen            Array(UInt64) COMMENT 'Sorted set of the messages seen: a keyed hash each, its kind in the low two bits',
    meta_hash       UInt64 COMMENT 'Element of the winning session message, 0 where none was seen',
    updated_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'updated_at of the winning session message',
    channel         String COMMENT 'Channel, such as chat, call, email',
    source          String COMMENT 'Source system',
    shop            String COMMENT 'Shop',
    business        String COMMENT 'presales, insales, aftersales, followup or empty',
    skill_group     String COMMENT 'Skill group',
    product         String COMMENT 'Product the session is about',
    customer_id     String COMMENT 'Keyed pseudonym of the customer',
    agent_id        String COMMENT 'Agent that the session message names',
    agent_name      String COMMENT 'Name of that agent',
    team            String COMMENT 'Team that the session message names',
    started_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'Start that the session message names',
    ended_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'End that the session message names',
    media_url       String COMMENT 'Recording',
    attributes      Map(String, String) COMMENT 'Further fields of the session message',
    meta_repairs    UInt16 COMMENT 'Bits of what was mended while decoding the session message',
    end_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the winning end message',
    end_hash        UInt64 COMMENT 'Element of the winning end, 0 while open',
    turn_key        Array(String) COMMENT 'Identity of each turn: s and seq, or h and a hash. All turn_ arrays run in final order',
    turn_hash       Array(UInt64) COMMENT 'Element of each turn',
    turn_seq        Array(Nullable(Int64)) COMMENT 'seq as sent',
    turn_role       Array(Enum8('customer' = 0, 'agent' = 1, 'bot' = 2, 'system' = 3)) COMMENT 'Who speaks',
    turn_agent      Array(String) COMMENT 'Agent of the turn as sent',
    turn_text       Array(String) COMMENT 'Masked text',
    turn_at         Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Time of the turn',
    turn_start_ms   Array(Nullable(Int64)) COMMENT 'Start in the recording, ms',
    turn_end_ms     Array(Nullable(Int64)) COMMENT 'End in the recording, ms',
    turn_confidence Array(Nullable(Float64)) COMMENT 'Confidence of speech recognition, 0..1',
    turn_auto       Array(Bool) COMMENT 'Automatic reply',
    turn_revision   Array(Int64) COMMENT 'Revision of the turn',
    turn_attributes Array(String) COMMENT 'Further fields of the turn as a JSON object, empty for none',
    turn_repairs    Array(UInt16) COMMENT 'Bits of what was mended while decoding the turn',
    turn_order_at   Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Time that decides the place of the turn',
    turn_position   Array(Int32) COMMENT 'Index in its message for a turn sent without seq, else 0',
    truncated       Bool COMMENT 'Turns beyond the limit were left out',
    topic           String COMMENT 'Kafka topic of the messages, empty for files',
    partition       Int32 COMMENT 'Kafka partition',
    offset_min      Int64 COMMENT 'Smallest Kafka offset of the messages',
    offset_max      Int64 COMMENT 'Greatest Kafka offset of the messages',
    written_at      DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY session_id
SETTINGS index_granularity = 128, min_compress_block_size = 4096, max_compress_block_size = 16384, fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'What is known of each session, masked: the set union of its messages. Its row is the commit record of a write';

CREATE TABLE IF NOT EXISTS analyses (
    session_id          String COMMENT 'Session',
    run_id              UInt64 COMMENT '0 = live, else the rerun that made the row',
    version             UInt64 COMMENT 'transcripts.version << 28 | epoch; the greatest wins',
    epoch               UInt32 COMMENT 'Snapshot of the opinion registry',
    closed              Bool COMMENT 'Whether the session had ended; else score and experience are provisional',
    started_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'Start, else the time of the first turn that has one',
    ended_at            Nullable(DateTime64(3, 'UTC')) COMMENT 'End, where known',
    revision            UInt16 COMMENT 'Session revision',
    updated_at          Nullable(DateTime64(3, 'UTC')) COMMENT 'updated_at of the session message',
    channel             String COMMENT 'Channel',
    source              String COMMENT 'Source system',
    shop                String COMMENT 'Shop',
    business            String COMMENT 'presales, insales, aftersales, followup or empty',
    skill_group         String COMMENT 'Skill group',
    product             String COMMENT 'Product the session is about',
    customer_id         String COMMENT 'Keyed pseudonym of the customer',
    agent_id            String COMMENT 'Agent that the session message names',
    agent_name          String COMMENT 'Name of that agent',
    team                String COMMENT 'Team that the session message names; views fill it from imported agents',
    media_url           String COMMENT 'Recording',
    attributes          Map(String, String) COMMENT 'Further fields of the session message',
    agent_ids           Array(String) COMMENT 'Distinct agents in order of their first turn',
    turn_seq            Array(Int64) COMMENT 'seq of each turn. All turn_ arrays run in final order',
    turn_key            Array(String) COMMENT 'Identity of each turn',
    turn_role           Array(Enum8('customer' = 0, 'agent' = 1, 'bot' = 2, 'system' = 3)) COMMENT 'Who speaks',
    turn_agent          Array(String) COMMENT 'Agent of the turn',
    turn_text           Array(String) COMMENT 'Masked text',
    turn_at             Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Time of the turn',
    turn_start_ms       Array(Nullable(Int64)) COMMENT 'Start in the recording, ms',
    turn_end_ms         Array(Nullable(Int64)) COMMENT 'End in the recording, ms',
    turn_confidence     Array(Nullable(Float64)) COMMENT 'Confidence of speech recognition, 0..1',
    turn_auto           Array(Bool) COMMENT 'Automatic reply',
    turn_valid          Array(Bool) COMMENT 'Valid reply: of an agent, not automatic, not blank',
    turn_emotion        Array(Enum8('satisfied' = 0, 'grateful' = 1, 'hopeful' = 2, 'apologetic' = 3, 'surprised' = 4, 'confused' = 5, 'urgent' = 6, 'worried' = 7, 'disappointed' = 8, 'aggrieved' = 9, 'angry' = 10, 'annoyed' = 11, 'neutral' = 12)) COMMENT 'Strongest emotion',
    turn_polarity       Array(Float32) COMMENT 'Polarity, -1..1',
    turn_scores         Array(UInt8) COMMENT 'Thirteen per turn, in the order of the emotions: score x 255, rounded',
    mention_id          Array(String) COMMENT 'Identity of each opinion mention. All mention_ arrays run alike',
    mention_turn        Array(Int64) COMMENT 'seq of its turn',
    mention_text        Array(String) COMMENT 'Its words',
    mention_start       Array(UInt32) COMMENT 'First byte in the masked text of the turn',
    mention_end         Array(UInt32) COMMENT 'Byte after the last',
    mention_kind        Array(String) COMMENT 'question, complaint, praise, suggestion, request, bug',
    mention_aspect      Array(String) COMMENT 'Aspect, such as quality, price, logistics',
    mention_valuable    Array(Bool) COMMENT 'Says something a product manager can act on, not a pure rant',
    mention_product     Array(String) COMMENT 'Product named',
    mention_polarity    Array(String) COMMENT 'negative, neutral, positive',
    mention_opinion     Array(String) COMMENT 'Opinion assigned, empty while waiting',
    mention_department  Array(String) COMMENT 'Department that acts on it',
    round_agent         Array(String) COMMENT 'Agent of each round. All round_ arrays run alike',
    round_turn          Array(Int64) COMMENT 'seq of the first customer turn',
    round_reply         Array(Nullable(Int64)) COMMENT 'seq of the valid reply',
    round_asked_at      Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Time of the first customer turn',
    round_replied_at    Array(Nullable(DateTime64(3, 'UTC'))) COMMENT 'Time of the valid reply',
    round_reply_ms      Array(Nullable(Int64)) COMMENT 'Time waited, ms',
    round_customers     Array(UInt32) COMMENT 'Customer turns in the round',
    round_replies       Array(UInt32) COMMENT 'Valid replies up to the next round',
    round_first         Array(Bool) COMMENT 'First round of the session',
    hit_id              Array(String) COMMENT 'Identity of each hit, the same in reruns. All hit_ arrays run alike',
    hit_rule            Array(String) COMMENT 'Rule',
    hit_rule_version    Array(String) COMMENT 'Version of the rule',
    hit_agent           Array(String) COMMENT 'Agent the hit belongs to',
    hit_outcome         Array(String) COMMENT 'Outcome of the rule',
    hit_severity        Array(String) COMMENT 'info, minor, major, critical',
    hit_points          Array(Float64) COMMENT 'Points added to the score',
    hit_reason          Array(String) COMMENT 'Why it was found',
    evidence_hit        Array(UInt32) COMMENT 'Hit (counted from 1) of each piece of evidence. All evidence_ arrays run alike',
    evidence_turn       Array(Int64) COMMENT 'seq of its turn',
    evidence_start      Array(UInt32) COMMENT 'First byte in the masked text of the turn',
    evidence_end        Array(UInt32) COMMENT 'Byte after the last',
    outcome_rule        Array(String) COMMENT 'Rules evaluated, sorted',
    outcome_value       Array(String) COMMENT 'pass, fail, na, present, absent',
    scorecard_id        Array(String) COMMENT 'Scorecards',
    scorecard_name      Array(String) COMMENT 'Their names',
    scorecard_score     Array(Nullable(Float64)) COMMENT 'Their scores, 0..100',
    item_scorecard      Array(String) COMMENT 'Scorecard of each scored item. All item_ arrays run alike',
    item_id             Array(String) COMMENT 'Item',
    item_points         Array(Nullable(Float64)) COMMENT 'Points reached',
    item_max            Array(Float64) COMMENT 'Points possible',
    item_outcome        Array(String) COMMENT 'Outcome of the item',
    item_human          Array(Bool) COMMENT 'Scored in review',
    score               Nullable(Float64) COMMENT 'Score, 0..100; null without an agent turn',
    flagged             Bool COMMENT 'Goes to the review queue',
    severity            String COMMENT 'Strongest severity among the hits, empty without one',
    experience          Float64 COMMENT 'Predicted satisfaction of the customer, -1..1',
    emotion_start       String COMMENT 'Emotion of the first customer turn',
    emotion_end         String COMMENT 'Emotion of the last customer turn',
    fact_turns          UInt32 COMMENT 'Turns',
    fact_customer_turns UInt32 COMMENT 'Customer turns',
    fact_agent_turns    UInt32 COMMENT 'Agent turns',
    fact_bot_turns      UInt32 COMMENT 'Bot turns',
    fact_duration_ms    Nullable(Int64) COMMENT 'Duration, ms',
    fact_first_reply_ms Nullable(Int64) COMMENT 'First valid reply after the first customer turn, ms',
    fact_avg_reply_ms   Nullable(Float64) COMMENT 'Mean wait of the answered rounds, ms',
    fact_max_reply_ms   Nullable(Int64) COMMENT 'Longest wait, ms',
    fact_rounds         UInt32 COMMENT 'Rounds',
    fact_unanswered     UInt32 COMMENT 'Rounds without a reply',
    fact_talk_share     Nullable(Float64) COMMENT 'Characters of the agent among those of customer and agent, 0..1',
    fact_silence_ms     Nullable(Int64) COMMENT 'Calls: gaps between turns, ms',
    fact_overlap_ms     Nullable(Int64) COMMENT 'Calls: time both spoke, ms',
    coverage_what       Array(String) COMMENT 'What was skipped or mended. All coverage_ arrays run alike',
    coverage_why        Array(String) COMMENT 'Why',
    coverage_count      Array(UInt32) COMMENT 'How often; 0 = not counted',
    rules_version       String COMMENT 'Rules in use',
    model_version       String COMMENT 'Models in use',
    code_version        String COMMENT 'Program that wrote the row',
    topic               String COMMENT 'Kafka topic of the messages, empty for files',
    partition           Int32 COMMENT 'Kafka partition',
    offset_min          Int64 COMMENT 'Smallest Kafka offset of the messages',
    offset_max          Int64 COMMENT 'Greatest Kafka offset of the messages',
    written_at          DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY (session_id, run_id)
SETTINGS index_granularity = 256, fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Analysed sessions: one row holds everything found in one session, so it is replaced as a whole';

CREATE TABLE IF NOT EXISTS order_rows (
    order_id      String COMMENT 'Order',
    version       UInt64 COMMENT 'updated_at in ms, status rank and 18 bits of a hash of the content; the greatest wins',
    shop          String COMMENT 'Shop',
    status        String COMMENT 'created, paid, shipped, refunded',
    updated_at    DateTime64(3, 'UTC') COMMENT 'Time of the message',
    customer_id   String COMMENT 'Keyed pseudonym of the customer',
    agent_id      String COMMENT 'Agent that the order names',
    created_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was created',
    paid_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid',
    amount        Nullable(Decimal(18, 4)) COMMENT 'Amount, in the currency of the shop',
    refund_amount Nullable(Decimal(18, 4)) COMMENT 'Refunded so far',
    item_sku      Array(String) COMMENT 'SKU of each item. All item_ arrays run alike',
    item_name     Array(String) COMMENT 'Name',
    item_qty      Array(Int64) COMMENT 'Pieces',
    item_price    Array(Nullable(Decimal(18, 4))) COMMENT 'Price of one piece',
    attributes    Map(String, String) COMMENT 'Further fields of the order message',
    written_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY order_id
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Orders, one row each, replaced as a whole';

CREATE TABLE IF NOT EXISTS rating_rows (
    session_id String COMMENT 'Session rated',
    version    UInt64 COMMENT 'at in ms and 20 bits of a hash of the content; the greatest wins',
    score      Float64 COMMENT 'Score given',
    max        Float64 COMMENT 'Highest score possible',
    comment    String COMMENT 'Masked comment',
    at         Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was given',
    attributes Map(String, String) COMMENT 'Further fields of the rating message',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY session_id
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Ratings, the latest of each session';

CREATE TABLE IF NOT EXISTS agents (
    agent_id    String COMMENT 'Agent',
    valid_from  DateTime64(3, 'UTC') COMMENT 'Name and team hold from here on; 1970 = ever',
    name        String COMMENT 'Name',
    team        String COMMENT 'Team',
    imported_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When the row was imported; the latest counts'
) ENGINE = {{replicated}}ReplacingMergeTree(imported_at) ORDER BY (agent_id, valid_from)
COMMENT 'Imported agents with their team over time';

CREATE TABLE IF NOT EXISTS dead_letter_rows (
    topic      String COMMENT 'Kafka topic, or the name of the file',
    partition  Int32 COMMENT 'Kafka partition, 0 for files',
    offset     Int64 COMMENT 'Kafka offset, or the line of the file',
    error      String COMMENT 'What is wrong, with the field',
    raw_masked String COMMENT 'First 4 KiB of the message, masked',
    sha256     String COMMENT 'SHA-256 of the raw message, hex',
    at         DateTime64(3, 'UTC') COMMENT 'When it was sent, or put aside',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree ORDER BY (topic, partition, offset)
TTL toDateTime(written_at) + INTERVAL 30 DAY
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Messages that could not be taken, kept for 30 days. The key makes a replay harmless';

CREATE TABLE IF NOT EXISTS lost_range_rows (
    topic           String COMMENT 'Kafka topic',
    partition       Int32 COMMENT 'Kafka partition',
    offset_from     Int64 COMMENT 'First offset missing',
    offset_to       Int64 COMMENT 'Last offset missing',
    at              DateTime64(3, 'UTC') COMMENT 'When the gap was seen',
    acknowledged    UInt8 COMMENT '1 once an operator has acknowledged it; the greatest wins',
    acknowledged_by String COMMENT 'Who acknowledged it',
    written_at      DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written'
) ENGINE = {{replicated}}ReplacingMergeTree(acknowledged) ORDER BY (topic, partition, offset_from)
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Offsets that the log had dropped before they were read';

CREATE TABLE IF NOT EXISTS rule_packs (
    pack    String COMMENT 'Name of the pack',
    version String COMMENT 'Version of the pack',
    content String COMMENT 'Its YAML text, the source of the rules',
    hash    String COMMENT 'SHA-256 of the text, hex',
    author  String COMMENT 'Who published it',
    at      DateTime64(6, 'UTC') COMMENT 'When; the latest row of a pack counts',
    active  Bool COMMENT 'false takes the pack out of use'
) ENGINE = {{replicated}}MergeTree ORDER BY (pack, at)
COMMENT 'Published rule packs, append-only';

CREATE TABLE IF NOT EXISTS run_rows (
    run_id        UInt64 COMMENT 'Rerun',
    version       UInt64 COMMENT 'Counts the states of the run; the greatest wins',
    state         String COMMENT 'running, done, switched, failed or cancelled',
    `from`        DateTime64(3, 'UTC') COMMENT 'Start of the period, by started_at',
    `to`          DateTime64(3, 'UTC') COMMENT 'End of the period, inside it',
    sessions      UInt64 COMMENT 'Sessions scored',
    rules_version String COMMENT 'Rules in use',
    model_version String COMMENT 'Models in use',
    epoch         UInt32 COMMENT 'Snapshot of the opinion registry',
    actor         String COMMENT 'Who started it',
    note          String COMMENT 'What it was for, or why it failed',
    created_at    DateTime64(3, 'UTC') COMMENT 'When it was started'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY run_id
COMMENT 'Reruns over past periods';

CREATE TABLE IF NOT EXISTS run_switches (
    at     DateTime64(6, 'UTC') COMMENT 'When the switch was made; the latest that covers a session counts',
    run_id UInt64 COMMENT 'Run that is active from now on, 0 = live',
    `from` DateTime64(3, 'UTC') COMMENT 'Start of the period, by started_at',
    `to`   DateTime64(3, 'UTC') COMMENT 'End of the period, inside it',
    actor  String COMMENT 'Who switched'
) ENGINE = {{replicated}}MergeTree ORDER BY at
COMMENT 'Which run the views show for which period, append-only';

CREATE TABLE IF NOT EXISTS review_events (
    session_id String COMMENT 'Session',
    event_id   String COMMENT 'UUIDv7 made by the server; events count in this order',
    seen       String COMMENT 'Last event that the page had shown',
    hit_id     String COMMENT 'Hit, or empty for the session as a whole',
    actor      String COMMENT 'Who',
    action     String COMMENT 'confirm, dismiss, appeal, uphold, overturn, score or note',
    item       String COMMENT 'Scorecard item that is scored',
    points     Nullable(Float64) COMMENT 'Points given to it',
    note       String COMMENT 'Remark',
    at         DateTime64(3, 'UTC') COMMENT 'When'
) ENGINE = {{replicated}}ReplacingMergeTree ORDER BY (session_id, event_id)
COMMENT 'Decisions of reviewers and appeals, append-only';

CREATE TABLE IF NOT EXISTS opinion_events (
    event_id   String COMMENT 'UUIDv7; events count in this order',
    at         DateTime64(3, 'UTC') COMMENT 'When',
    epoch      UInt32 COMMENT 'Snapshot of the registry that the event made or was made on',
    action     String COMMENT 'found, title, rename, merge, split, status or note',
    opinion_id String COMMENT 'Opinion',
    target_id  String COMMENT 'merge: the opinion it now counts for (every id that pointed here is merged anew); split: the opinion it came from',
    title      String COMMENT 'found and title: title made by the program; rename: title given by a person, which always wins',
    aspect     String COMMENT 'Aspect',
    product    String COMMENT 'Product',
    kind       String COMMENT 'Kind of mention',
    polarity   String COMMENT 'Polarity side',
    department String COMMENT 'Department that acts on it',
    status     String COMMENT 'new, accepted, fixed, declined',
    fixed_on   Nullable(Date) COMMENT 'Day it was fixed',
    owner      String COMMENT 'Who takes care of it',
    answer     String COMMENT 'Approved answer',
    note       String COMMENT 'Remark',
    actor      String COMMENT 'Who'
) ENGINE = {{replicated}}ReplacingMergeTree ORDER BY event_id
COMMENT 'Opinions founded, merged, split, renamed and their status, append-only';

CREATE TABLE IF NOT EXISTS alert_rows (
    alert_id   String COMMENT 'hash(session, rule, first evidence)',
    version    UInt64 COMMENT 'Counts the states of the alert; the greatest wins',
    session_id String COMMENT 'Session',
    rule_id    String COMMENT 'Rule',
    severity   String COMMENT 'Severity of the rule',
    shop       String COMMENT 'Shop',
    agent_id   String COMMENT 'Agent',
    at         DateTime64(3, 'UTC') COMMENT 'Time of the evidence',
    sent_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was sent',
    state      String COMMENT 'stored, sent, superseded',
    payload    String COMMENT 'What was sent, JSON'
) ENGINE = {{replicated}}ReplacingMergeTree(version) ORDER BY alert_id
COMMENT 'Alerts, stored before they are sent';

CREATE TABLE IF NOT EXISTS forgotten (
    pseudonym String COMMENT 'Keyed pseudonym of a customer who asked to be forgotten',
    at        DateTime64(3, 'UTC') COMMENT 'When'
) ENGINE = {{replicated}}ReplacingMergeTree(at) ORDER BY pseudonym
SETTINGS fsync_after_insert = {{fsync}}, fsync_part_directory = {{fsync}}
COMMENT 'Customers whose messages are no longer taken';

CREATE TABLE IF NOT EXISTS audit_log (
    at      DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When',
    actor   String COMMENT 'Who: a user, or the command that ran',
    action  String COMMENT 'What was done',
    object  String COMMENT 'To what',
    detail  String COMMENT 'Further facts, JSON',
    address String COMMENT 'Address of the client'
) ENGINE = {{replicated}}MergeTree ORDER BY at
COMMENT 'Who did what, append-only';
