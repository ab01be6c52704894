-- A topic that is deleted and made again gives its offsets a second time: the place alone does not tell one bad message from
-- another. A column that joins a sorting key must be new and without a default, so it repeats the sha256 that is there already.
ALTER TABLE dead_letter_rows ADD COLUMN IF NOT EXISTS message String COMMENT 'sha256 again, as part of the key; empty in rows of before this column' AFTER sha256,
    MODIFY ORDER BY (topic, partition, offset, message);

-- A message that was put aside before and is replayed after has a row of each kind; they are one.
CREATE OR REPLACE VIEW dead_letters (
    topic      String COMMENT 'Kafka topic, or the name of the file',
    partition  Int32 COMMENT 'Kafka partition, 0 for files',
    offset     Int64 COMMENT 'Kafka offset, or the line of the file',
    error      String COMMENT 'What is wrong, with the field',
    raw_masked String COMMENT 'First 4 KiB of the message, masked',
    sha256     String COMMENT 'SHA-256 of the raw message, hex',
    at         DateTime64(3, 'UTC') COMMENT 'When it was sent, or put aside; rows are kept for 30 days'
) AS
SELECT topic, partition, offset, error, raw_masked, sha256, at FROM dead_letter_rows FINAL
ORDER BY topic, partition, offset, sha256, message DESC
LIMIT 1 BY topic, partition, offset, sha256;
