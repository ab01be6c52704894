// The server's own sentences in the reader's language. What is not known here is shown as it came.

import { useTranslation } from '../../i18n';
import { useRuleName } from '../../ui/tags';

// Patterns of sentences, with the word that says the same; groups fill in {{a}}, {{b}} and so on.
const sentences: [RegExp, string][] = [
  [/^what is forbidden occurs$/, 'say.forbidden_occurs'],
  [/^what is forbidden does not occur$/, 'say.forbidden_absent'],
  [/^what is expected is there$/, 'say.expected_there'],
  [/^what is expected is not there$/, 'say.expected_absent'],
  [/^the trigger occurs$/, 'say.trigger_occurs'],
  [/^the trigger does not occur$/, 'say.trigger_absent'],
  [/^the rule does not apply to this session$/, 'say.not_applied'],
  [/^the session is open and turns still to come decide$/, 'say.open'],
  [/^the range has no turn, so there is nothing to look at$/, 'say.no_turn'],
  [/^what the rule needs is missing: (\S+)$/, 'say.missing'],
  [/^of (\d+) hits of the trigger (\d+) met, (\d+) broken, (\d+) open, (\d+) not looked at$/, 'say.triggers'],
  [/^no place$/, 'say.no_place'],
  [/^(\d+) places?$/, 'say.places'],
  [/^(\d+) turns$/, 'say.turns'],
  [/^(\d+) of (\d+) answered as expected$/, 'say.answered'],
  [/^longest silence (.+)$/, 'say.silence'],
  [/^(.+) after the last turn$/, 'say.after_last'],
  [/^(-?[\d.]+) at the beginning, (-?[\d.]+) at the end$/, 'say.shift'],
  [/^every session begins with$/, 'say.begins'],
  [/^a score lies between 0 and 100$/, 'say.bounded'],
  [/^critical: whole sets the score to 0$/, 'say.whole'],
  [/^by the rules of that time, which are no longer in use$/, 'say.old_rules'],
  [/^a score below ([\d.]+)$/, 'say.score_below'],
  [/^open$/, 'say.open'],
  [/^(no_timestamps|no_durations|no_end_time|no_features|no_words|no_encoder|no_turns|opinion_waiting|masked|does_not_apply)$/, 'say.why'],
];

export function useSay() {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  return (text: string): string => {
    const by = /^a (\w+) hit of (\S+)$/.exec(text);
    if (by) return t('say.flagged_by', { a: t(`severity.${by[1]}`, { defaultValue: by[1] }), b: ruleName(by[2]) });
    for (const [pattern, word] of sentences) {
      const m = pattern.exec(text);
      if (!m) continue;
      if (word === 'say.why') return t(`why.${m[1]}`);
      const [, a, b, c, d, e] = m;
      return t(word, { a: word === 'say.missing' ? t(`why.${a}`, { defaultValue: a }) : a, b, c, d, e });
    }
    return text;
  };
}
