package schemas

import "time"

// Message types: the value of "type" on a line or a Kafka message.
const (
	TypeSession = "session"
	TypeTurn    = "turn"
	TypeEnd     = "end"
	TypeOrder   = "order"
	TypeRating  = "rating"
)

// Role says who speaks in a turn.
type Role string

// The four roles.
const (
	Customer Role = "customer"
	Agent    Role = "agent"
	Bot      Role = "bot"
	System   Role = "system"
)

// Limits of messages. A message beyond MaxMessageBytes or a text beyond MaxTextBytes is refused; of a longer session
// the first MaxTurns turns in final order are kept.
const (
	MaxTextBytes    = 1 << 20
	MaxMessageBytes = 16 << 20
	MaxTurns        = 10_000
	// MaxIDBytes bounds every identifier (session_id, order_id, agent_id ...).
	MaxIDBytes = 256
	// MaxNameBytes bounds every short text field (shop, team, product, names, status texts).
	MaxNameBytes = 512
	// MaxChannelBytes bounds channel, which may be any string.
	MaxChannelBytes = 64
	// MaxAttributes bounds the unknown fields kept at one level.
	MaxAttributes = 256
	// MaxSessionRevision is the highest session revision; it is 16 bits of transcripts.version.
	MaxSessionRevision = 65_535
)

// Repair is a set of lawful mends made while decoding, shown in the session's coverage.
type Repair uint16

// The repairs.
const (
	// RepairUTF8: invalid UTF-8 was replaced by U+FFFD.
	RepairUTF8 Repair = 1 << iota
	// RepairNUL: NUL bytes were taken out.
	RepairNUL
	// RepairTime: a time outside the years 1970..2261 was dropped.
	RepairTime
	// RepairSpan: end_ms before start_ms was dropped.
	RepairSpan
)

// Message is one decoded line of a file or one Kafka message. Exactly one pointer is set, the one Type names.
type Message struct {
	Type    string
	Session *Session
	Turn    *LiveTurn
	End     *End
	Order   *Order
	Rating  *Rating
}

// Session is a session message. With turns it is a whole (closed) session; without turns it is the meta data of a
// live session.
type Session struct {
	Meta
	Turns []Turn `json:"turns"`
}

// Meta is everything a session message says beside its turns. Absent strings are "", absent times are zero.
type Meta struct {
	SessionID  string    `json:"session_id"`
	Revision   int       `json:"revision,omitempty"` // 0..65535; a higher one replaces the session
	UpdatedAt  time.Time `json:"updated_at,omitzero"`
	Channel    string    `json:"channel,omitempty"`
	Source     string    `json:"source,omitempty"`
	Shop       string    `json:"shop,omitempty"`
	Business   string    `json:"business,omitempty"` // presales | insales | aftersales | followup
	SkillGroup string    `json:"skill_group,omitempty"`
	Product    string    `json:"product,omitempty"`
	CustomerID string    `json:"customer_id,omitempty"` // after masking: a keyed pseudonym
	AgentID    string    `json:"agent_id,omitempty"`
	AgentName  string    `json:"agent_name,omitempty"`
	Team       string    `json:"team,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	MediaURL   string    `json:"media_url,omitempty"`
	// Attributes holds unknown fields: strings as they are, other values as compact JSON.
	Attributes map[string]string `json:"attributes,omitempty"`
	Repairs    Repair            `json:"-"`
}

// Turn is one utterance of a session. All times are UTC with millisecond precision.
type Turn struct {
	Seq        Opt[int64]        `json:"seq,omitzero"`
	Role       Role              `json:"role"`
	AgentID    string            `json:"agent_id,omitempty"`
	Text       string            `json:"text"`
	At         time.Time         `json:"at,omitzero"`
	StartMS    Opt[int64]        `json:"start_ms,omitzero"` // ms from the start of the recording
	EndMS      Opt[int64]        `json:"end_ms,omitzero"`
	Confidence Opt[float64]      `json:"confidence,omitzero"` // 0..1, of speech recognition
	Auto       bool              `json:"auto,omitempty"`      // an automatic reply
	Revision   int               `json:"revision,omitempty"`  // of this turn; the greater one wins
	Attributes map[string]string `json:"attributes,omitempty"`
	Repairs    Repair            `json:"-"`
}

// LiveTurn is a turn message: one turn of a session that is still going on.
type LiveTurn struct {
	SessionID       string `json:"session_id"`
	SessionRevision int    `json:"session_revision,omitempty"`
	Turn
}

// End closes a live session.
type End struct {
	SessionID       string    `json:"session_id"`
	SessionRevision int       `json:"session_revision,omitempty"`
	At              time.Time `json:"at,omitzero"`
}

// Order is a whole order row; a later one replaces it by (updated_at, status rank).
type Order struct {
	OrderID      string            `json:"order_id"`
	Shop         string            `json:"shop"`
	Status       string            `json:"status"` // created < paid < shipped < refunded
	UpdatedAt    time.Time         `json:"updated_at"`
	CustomerID   string            `json:"customer_id,omitempty"`
	AgentID      string            `json:"agent_id,omitempty"`
	CreatedAt    time.Time         `json:"created_at,omitzero"`
	PaidAt       time.Time         `json:"paid_at,omitzero"`
	Amount       string            `json:"amount,omitempty"` // decimal string
	Items        []OrderItem       `json:"items,omitempty"`
	RefundAmount string            `json:"refund_amount,omitempty"` // decimal string, cumulative
	Attributes   map[string]string `json:"attributes,omitempty"`
	Repairs      Repair            `json:"-"`
}

// OrderItem is one line of an order.
type OrderItem struct {
	SKU   string `json:"sku,omitempty"`
	Name  string `json:"name,omitempty"`
	Qty   int64  `json:"qty"`
	Price string `json:"price,omitempty"` // decimal string, of one piece
}

// OrderStatuses lists the states of an order by rank.
var OrderStatuses = []string{"created", "paid", "shipped", "refunded"}

// Rating is a customer's rating of a session; the latest one counts.
type Rating struct {
	SessionID  string            `json:"session_id"`
	Score      float64           `json:"score"`
	Max        float64           `json:"max"`
	Comment    string            `json:"comment,omitempty"`
	At         time.Time         `json:"at,omitzero"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Repairs    Repair            `json:"-"`
}

// FieldError says which field of a message is wrong, how, and what to do. File, line, topic or offset are added by
// whoever read the message.
type FieldError struct {
	Field   string // such as turns[3].role; "" for the message as a whole
	Problem string
	Hint    string
}

func (e *FieldError) Error() string {
	s := e.Problem
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}
