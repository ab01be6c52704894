package textnorm

import "unicode/utf8"

// emojiTag is a class of emoji that say the same; 0 is none.
type emojiTag uint8

const (
	tagOther emojiTag = iota + 1 // any other pictograph
	tagLaugh
	tagSmile
	tagHappy
	tagNaughty
	tagLove
	tagHeart
	tagBroken
	tagKiss
	tagAngry
	tagCry
	tagSad
	tagShock
	tagFear
	tagSweat
	tagSpeechless
	tagRollEyes
	tagThink
	tagSick
	tagSleepy
	tagShy
	tagGood
	tagBad
	tagOK
	tagThanks
	tagClap
	tagStrong
	tagBye
	tagFlower
	tagParty
	tagGift
	tagFacepalm
	tagPoop
	tagSkull
	tagClown
	tagPoint
	tagVictory
	tagQuestion
	tagExclaim
)

// emojiTags are written like the tags of Chinese chat tools. [微笑] stands apart from [笑]: the flat smile is often
// meant ironically.
var emojiTags = [...]string{
	tagOther: "[表情]", tagLaugh: "[笑]", tagSmile: "[微笑]", tagHappy: "[开心]", tagNaughty: "[坏笑]", tagLove: "[爱]", tagHeart: "[爱心]",
	tagBroken: "[心碎]", tagKiss: "[亲亲]", tagAngry: "[怒]", tagCry: "[哭]", tagSad: "[失望]", tagShock: "[惊讶]", tagFear: "[害怕]",
	tagSweat: "[汗]", tagSpeechless: "[无语]", tagRollEyes: "[白眼]", tagThink: "[疑问]", tagSick: "[生病]", tagSleepy: "[困]",
	tagShy: "[害羞]", tagGood: "[赞]", tagBad: "[踩]", tagOK: "[ok]", tagThanks: "[拜托]", tagClap: "[鼓掌]", tagStrong: "[加油]",
	tagBye: "[再见]", tagFlower: "[玫瑰]", tagParty: "[庆祝]", tagGift: "[礼物]", tagFacepalm: "[捂脸]", tagPoop: "[便便]",
	tagSkull: "[骷髅]", tagClown: "[小丑]", tagPoint: "[指]", tagVictory: "[耶]", tagQuestion: "[问号]", tagExclaim: "[感叹号]",
}

var emojiMembers = [...]string{
	tagLaugh:      "😂🤣😆😹",
	tagSmile:      "🙂☺🙃😐😑😶😌",
	tagHappy:      "😀😃😄😁😊😅😸😺🤗☻🥳😇🥲🤠😎🤩",
	tagNaughty:    "😏😜😝😛🤪😈🤭🤑😼🤫😋😉👻👿",
	tagLove:       "😍🥰😻💑",
	tagHeart:      "❤♥💕💖💗💓💞💘💝💙💚💛💜🧡🖤🤍🤎🩷🩵🩶❣💟🫶♡",
	tagBroken:     "💔",
	tagKiss:       "😘😗😚😙💋💏😽",
	tagAngry:      "😡😠🤬😤💢🖕😾👊",
	tagCry:        "😭😢😿🥹",
	tagSad:        "😞😔☹🙁😟😕😣😖😫😩🥺😥",
	tagShock:      "😱😮😲😯😳🤯😦😧🙀😵",
	tagFear:       "😨😰😬🫣🫨",
	tagSweat:      "😓💧💦",
	tagSpeechless: "😒🤐🫠🫥🤨",
	tagRollEyes:   "🙄",
	tagThink:      "🤔🧐🤷",
	tagSick:       "😷🤒🤕🤢🤮🤧",
	tagSleepy:     "😴🥱😪💤",
	tagShy:        "🙈🙊",
	tagGood:       "👍💯🔥",
	tagBad:        "👎",
	tagOK:         "👌🆗🙆",
	tagThanks:     "🙏🤝",
	tagClap:       "👏🙌",
	tagStrong:     "💪✊",
	tagBye:        "👋",
	tagFlower:     "🌹🌷💐🌸🌺🌻🥀",
	tagParty:      "🎉🎊🎈🎆🎇🧨",
	tagGift:       "🎁🧧",
	tagFacepalm:   "🤦",
	tagPoop:       "💩",
	tagSkull:      "💀☠",
	tagClown:      "🤡",
	tagPoint:      "👉👈👆👇☝",
	tagVictory:    "✌🤞🤟",
	tagQuestion:   "❓❔",
	tagExclaim:    "❗❕‼⁉",
}

var emojiClasses = func() map[rune]emojiTag {
	m := map[rune]emojiTag{}
	for class, members := range emojiMembers {
		for _, r := range members {
			m[r] = emojiTag(class)
		}
	}
	return m
}()

// emojiClass gives the class of an emoji, 0 for any other character. Of the old symbol blocks (stars, check marks,
// arrows) only what carries a feeling counts as one; those without stay as they are.
func emojiClass(r rune) emojiTag {
	if r < 0x203c || r > 0x27ff && r < 0x1f000 || r > 0x1faff {
		return 0
	}
	if class, ok := emojiClasses[r]; ok {
		return class
	}
	if r >= 0x1f300 || regional(r) || r == 0x1f004 || r == 0x1f0cf {
		return tagOther
	}
	return 0
}

func regional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// emojiLen gives the bytes at the start of s that form one emoji with r, its first character of the given size: both
// letters of a flag, modifiers, and everything tied to it by zero-width joiners.
func emojiLen(s string, r rune, size int) int {
	n := size
	if regional(r) {
		if next, w := utf8.DecodeRuneInString(s[n:]); regional(next) {
			n += w
		}
		return n
	}
	for n < len(s) {
		next, w := utf8.DecodeRuneInString(s[n:])
		if next == 0xfe0f || next >= 0x1f3fb && next <= 0x1f3ff {
			n += w
			continue
		}
		if next != 0x200d {
			break
		}
		tied, tw := utf8.DecodeRuneInString(s[n+w:])
		if emojiClass(tied) == 0 && (tied < 0x2600 || tied > 0x27ff) {
			break
		}
		n += w + tw
	}
	return n
}
