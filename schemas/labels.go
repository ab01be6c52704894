package schemas

// Emotion is one of twelve emotions or neutral: what a speaker expresses in one turn, in its context.
// Keys are stable and appear in data and APIs.
type Emotion uint8

// The emotions in the order of every score vector.
const (
	Satisfied Emotion = iota
	Grateful
	Hopeful
	Apologetic
	Surprised
	Confused
	Urgent
	Worried
	Disappointed
	Aggrieved
	Angry
	Annoyed
	Neutral
	// EmotionCount is the length of a score vector: twelve emotions and neutral.
	EmotionCount
)

var emotionKeys = [EmotionCount]string{
	"satisfied", "grateful", "hopeful", "apologetic", "surprised", "confused", "urgent",
	"worried", "disappointed", "aggrieved", "angry", "annoyed", "neutral",
}

var emotionNames = [EmotionCount]string{
	"满意", "感谢", "期待", "愧疚", "惊讶", "疑惑", "着急", "担忧", "失望", "委屈", "愤怒", "厌烦", "无情绪",
}

// String gives the stable key, such as "satisfied".
func (e Emotion) String() string {
	if e < EmotionCount {
		return emotionKeys[e]
	}
	return "neutral"
}

// Chinese gives the name people see, such as 满意.
func (e Emotion) Chinese() string {
	if e < EmotionCount {
		return emotionNames[e]
	}
	return emotionNames[Neutral]
}

// ParseEmotion finds the emotion of a stable key.
func ParseEmotion(key string) (Emotion, bool) {
	for i, k := range emotionKeys {
		if k == key {
			return Emotion(i), true
		}
	}
	return Neutral, false
}

// EmotionKeys lists the stable keys in score order.
func EmotionKeys() []string { return append([]string(nil), emotionKeys[:]...) }

// Complains says whether a customer in this emotion counts as complaining or negative for the apology rule:
// urgent, disappointed, aggrieved, angry, annoyed.
func (e Emotion) Complains() bool {
	switch e {
	case Urgent, Disappointed, Aggrieved, Angry, Annoyed:
		return true
	}
	return false
}

// Polarity classes of a turn or mention.
const (
	Negative        = "negative"
	NeutralPolarity = "neutral"
	Positive        = "positive"
)

// Kinds of an opinion mention.
const (
	KindQuestion   = "question"
	KindComplaint  = "complaint"
	KindPraise     = "praise"
	KindSuggestion = "suggestion"
	KindRequest    = "request"
	KindBug        = "bug"
)

// Kinds lists the kinds of an opinion mention.
var Kinds = []string{KindQuestion, KindComplaint, KindPraise, KindSuggestion, KindRequest, KindBug}

// Aspects of an opinion mention.
const (
	AspectQuality    = "quality"
	AspectSpec       = "spec"
	AspectPrice      = "price"
	AspectStock      = "stock"
	AspectLogistics  = "logistics"
	AspectAftersales = "aftersales"
	AspectOrder      = "order"
	AspectFunction   = "function"
	AspectAccount    = "account"
	AspectService    = "service"
	AspectPackaging  = "packaging"
	AspectOther      = "other"
)

// Aspects lists the aspects of an opinion mention.
var Aspects = []string{
	AspectQuality, AspectSpec, AspectPrice, AspectStock, AspectLogistics, AspectAftersales,
	AspectOrder, AspectFunction, AspectAccount, AspectService, AspectPackaging, AspectOther,
}

// DefaultDepartments maps an aspect to the department that acts on it; configuration may replace it.
var DefaultDepartments = map[string]string{
	AspectQuality: "产品", AspectSpec: "产品", AspectFunction: "产品", AspectPackaging: "产品",
	AspectPrice: "运营", AspectStock: "运营", AspectAccount: "运营",
	AspectLogistics: "物流", AspectAftersales: "售后", AspectOrder: "售后", AspectService: "客服培训",
}

// Outcomes of a rule in one session.
const (
	Pass    = "pass"
	Fail    = "fail"
	NA      = "na"
	Present = "present"
	Absent  = "absent"
)

// Severities of a rule, from weakest to strongest.
const (
	Info     = "info"
	Minor    = "minor"
	Major    = "major"
	Critical = "critical"
)

// SeverityRank orders severities: info 0 .. critical 3; an unknown one is -1.
func SeverityRank(s string) int {
	switch s {
	case Info:
		return 0
	case Minor:
		return 1
	case Major:
		return 2
	case Critical:
		return 3
	}
	return -1
}
