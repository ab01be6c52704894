-- Why a pack was published, for its history.
ALTER TABLE rule_packs ADD COLUMN IF NOT EXISTS note String COMMENT 'Remark of the author: what was changed and why' AFTER author;
