package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Decode reads one message: a line of a file or the value of a Kafka message. It is strict about what the product
// knows (types, required fields, roles, limits) and keeps what it does not: unknown fields go to the attributes of
// their level. Lawful damage (invalid UTF-8, NUL, impossible times) is mended and noted in Repairs.
//
// The error is a *FieldError. Decode keeps no reference to line.
func Decode(line []byte) (*Message, error) {
	if len(line) > MaxMessageBytes {
		return nil, &FieldError{Problem: fmt.Sprintf("message of %d bytes is over the limit of %d", len(line), MaxMessageBytes), Hint: "split the session into turn messages"}
	}
	var mended Repair
	if bytes.IndexByte(line, 0) >= 0 {
		line = bytes.ReplaceAll(line, []byte{0}, nil)
		mended |= RepairNUL
	}
	if !json.Valid(line) {
		return nil, syntaxError(line)
	}
	root := gjson.ParseBytes(line)
	if !root.IsObject() {
		return nil, &FieldError{Problem: "not a JSON object", Hint: `a message looks like {"type":"session","session_id":"...","turns":[...]}`}
	}
	typ := root.Get("type")
	kind := typ.Str
	switch {
	case !typ.Exists() && root.Get("turns").Exists():
		kind = TypeSession
	case !typ.Exists():
		return nil, &FieldError{Field: "type", Problem: "is missing", Hint: "one of session, turn, end, order, rating; only a line with turns may leave it out"}
	case typ.Type != gjson.String:
		return nil, wrongType("type", typ, "a string")
	}
	d := &decoder{repairs: mended}
	m := &Message{Type: kind}
	switch kind {
	case TypeSession:
		m.Session = d.session(root)
	case TypeTurn:
		m.Turn = d.liveTurn(root)
	case TypeEnd:
		m.End = d.end(root)
	case TypeOrder:
		m.Order = d.order(root)
	case TypeRating:
		m.Rating = d.rating(root)
	default:
		return nil, &FieldError{Field: "type", Problem: fmt.Sprintf("unknown type %s", quote(kind)), Hint: "one of session, turn, end, order, rating"}
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// decoder walks one message; it keeps the first error and the repairs of the level being read.
type decoder struct {
	err     *FieldError
	repairs Repair
	// list and index name the element being read (turns[3]); kept apart so that a path is only built for an error.
	list  string
	index int
}

func (d *decoder) fail(e *FieldError) {
	if d.err != nil {
		return
	}
	if d.list != "" {
		element := d.list + "[" + strconv.Itoa(d.index) + "]"
		if e.Field != "" {
			element += "." + e.Field
		}
		e.Field = element
	}
	d.err = e
}

func (d *decoder) session(root gjson.Result) *Session {
	s := &Session{}
	var turns gjson.Result
	d.object(root, func(name string, v gjson.Result) bool {
		switch name {
		case "type":
		case "session_id":
			s.SessionID = d.id(name, v)
		case "revision":
			s.Revision = int(d.integer(name, v, 0, MaxSessionRevision))
		case "updated_at":
			s.UpdatedAt = d.time(name, v)
		case "channel":
			s.Channel = d.text(name, v, MaxChannelBytes)
		case "source":
			s.Source = d.text(name, v, MaxNameBytes)
		case "shop":
			s.Shop = d.text(name, v, MaxNameBytes)
		case "business":
			s.Business = d.text(name, v, MaxNameBytes)
		case "skill_group":
			s.SkillGroup = d.text(name, v, MaxNameBytes)
		case "product":
			s.Product = d.text(name, v, MaxNameBytes)
		case "customer_id":
			s.CustomerID = d.text(name, v, MaxIDBytes)
		case "agent_id":
			s.AgentID = d.text(name, v, MaxIDBytes)
		case "agent_name":
			s.AgentName = d.text(name, v, MaxNameBytes)
		case "team":
			s.Team = d.text(name, v, MaxNameBytes)
		case "started_at":
			s.StartedAt = d.time(name, v)
		case "ended_at":
			s.EndedAt = d.time(name, v)
		case "media_url":
			s.MediaURL = d.text(name, v, 4*MaxNameBytes)
		case "attributes":
			s.Attributes = d.attributes(name, v, s.Attributes)
		case "turns":
			turns = v
		default:
			return false
		}
		return true
	}, &s.Attributes)
	d.required("session_id", s.SessionID)
	if !turns.Exists() {
		d.fail(&FieldError{Field: "turns", Problem: "is missing", Hint: "a session needs turns; an empty list makes it the meta data of a live session"})
		return s
	}
	if !turns.IsArray() {
		d.fail(wrongType("turns", turns, "a list of turns"))
		return s
	}
	s.Repairs = d.repairs
	n := 0
	turns.ForEach(func(_, _ gjson.Result) bool { n++; return true })
	s.Turns = make([]Turn, n)
	d.list = "turns"
	i := 0
	turns.ForEach(func(_, v gjson.Result) bool {
		d.repairs = 0
		d.index = i
		if !v.IsObject() {
			d.fail(wrongType("", v, "an object with role and text"))
			return false
		}
		d.turn(v, &s.Turns[i], nil)
		i++
		return d.err == nil
	})
	return s
}

func (d *decoder) liveTurn(root gjson.Result) *LiveTurn {
	t := &LiveTurn{}
	d.turn(root, &t.Turn, func(name string, v gjson.Result) bool {
		switch name {
		case "type":
		case "session_id":
			t.SessionID = d.id(name, v)
		case "session_revision":
			t.SessionRevision = int(d.integer(name, v, 0, MaxSessionRevision))
		default:
			return false
		}
		return true
	})
	d.required("session_id", t.SessionID)
	if d.err == nil && !t.Seq.OK && t.At.IsZero() && !t.StartMS.OK {
		d.fail(&FieldError{Field: "seq", Problem: "a live turn needs seq, at or start_ms", Hint: "number the turns of a session from 1"})
	}
	return t
}

// turn reads the fields of one turn; more takes those of the enclosing message, if any.
func (d *decoder) turn(root gjson.Result, t *Turn, more func(string, gjson.Result) bool) {
	var hasText bool
	d.object(root, func(name string, v gjson.Result) bool {
		switch name {
		case "seq":
			if v.Type != gjson.Null {
				t.Seq = Some(d.integer(name, v, 0, math.MaxInt32))
			}
		case "role":
			t.Role = d.role(name, v)
		case "agent_id":
			t.AgentID = d.text(name, v, MaxIDBytes)
		case "text":
			hasText = v.Type != gjson.Null
			t.Text = d.text(name, v, MaxTextBytes)
		case "at":
			t.At = d.time(name, v)
		case "start_ms":
			if v.Type != gjson.Null {
				t.StartMS = Some(d.integer(name, v, 0, 1<<40))
			}
		case "end_ms":
			if v.Type != gjson.Null {
				t.EndMS = Some(d.integer(name, v, 0, 1<<40))
			}
		case "confidence":
			if v.Type != gjson.Null {
				t.Confidence = Some(d.number(name, v, 0, 1))
			}
		case "auto":
			t.Auto = d.boolean(name, v)
		case "revision":
			t.Revision = int(d.integer(name, v, 0, math.MaxInt32))
		case "attributes":
			t.Attributes = d.attributes(name, v, t.Attributes)
		default:
			return more != nil && more(name, v)
		}
		return true
	}, &t.Attributes)
	d.required("role", string(t.Role))
	if d.err == nil && !hasText {
		d.fail(&FieldError{Field: "text", Problem: "is missing", Hint: `an empty turn, such as a picture, has "text":""`})
	}
	if t.StartMS.OK && t.EndMS.OK && t.EndMS.V < t.StartMS.V {
		t.EndMS = Opt[int64]{}
		d.repairs |= RepairSpan
	}
	t.Repairs = d.repairs
}

func (d *decoder) end(root gjson.Result) *End {
	e := &End{}
	d.object(root, func(name string, v gjson.Result) bool {
		switch name {
		case "session_id":
			e.SessionID = d.id(name, v)
		case "session_revision":
			e.SessionRevision = int(d.integer(name, v, 0, MaxSessionRevision))
		case "at":
			e.At = d.time(name, v)
		}
		return true
	}, nil)
	d.required("session_id", e.SessionID)
	return e
}

func (d *decoder) order(root gjson.Result) *Order {
	o := &Order{}
	d.object(root, func(name string, v gjson.Result) bool {
		switch name {
		case "type":
		case "order_id":
			o.OrderID = d.id(name, v)
		case "shop":
			o.Shop = d.text(name, v, MaxNameBytes)
		case "status":
			o.Status = d.text(name, v, MaxNameBytes)
			if d.err == nil && OrderRank(o.Status) < 0 {
				d.fail(&FieldError{Field: name, Problem: "unknown status " + quote(o.Status), Hint: "one of " + strings.Join(OrderStatuses, ", ")})
			}
		case "updated_at":
			o.UpdatedAt = d.time(name, v)
		case "customer_id":
			o.CustomerID = d.text(name, v, MaxIDBytes)
		case "agent_id":
			o.AgentID = d.text(name, v, MaxIDBytes)
		case "created_at":
			o.CreatedAt = d.time(name, v)
		case "paid_at":
			o.PaidAt = d.time(name, v)
		case "amount":
			o.Amount = d.money(name, v)
		case "refund_amount":
			o.RefundAmount = d.money(name, v)
		case "items":
			o.Items = d.items(v)
		case "attributes":
			o.Attributes = d.attributes(name, v, o.Attributes)
		default:
			return false
		}
		return true
	}, &o.Attributes)
	d.required("order_id", o.OrderID)
	d.required("shop", o.Shop)
	d.required("status", o.Status)
	if d.err == nil && o.UpdatedAt.IsZero() {
		d.fail(&FieldError{Field: "updated_at", Problem: "is missing or no usable time", Hint: "RFC 3339, such as 2026-11-02T10:15:00+08:00"})
	}
	o.Repairs = d.repairs
	return o
}

func (d *decoder) items(v gjson.Result) []OrderItem {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsArray() {
		d.fail(wrongType("items", v, "a list of items"))
		return nil
	}
	var items []OrderItem
	v.ForEach(func(_, item gjson.Result) bool {
		d.list, d.index = "items", len(items)
		if len(items) == MaxTurns {
			d.fail(&FieldError{Problem: fmt.Sprintf("more than %d items", MaxTurns), Hint: "split the order"})
			return false
		}
		if !item.IsObject() {
			d.fail(wrongType("", item, "an object with sku, name, qty, price"))
			return false
		}
		it := OrderItem{Qty: 1}
		d.object(item, func(name string, v gjson.Result) bool {
			switch name {
			case "sku":
				it.SKU = d.text("sku", v, MaxIDBytes)
			case "name":
				it.Name = d.text("name", v, MaxNameBytes)
			case "qty":
				it.Qty = d.integer("qty", v, 0, math.MaxInt32)
			case "price":
				it.Price = d.money("price", v)
			}
			return true
		}, nil)
		items = append(items, it)
		return d.err == nil
	})
	d.list = ""
	return items
}

func (d *decoder) rating(root gjson.Result) *Rating {
	r := &Rating{}
	var score, max bool
	d.object(root, func(name string, v gjson.Result) bool {
		switch name {
		case "type":
		case "session_id":
			r.SessionID = d.id(name, v)
		case "score":
			r.Score, score = d.number(name, v, -1e6, 1e6), true
		case "max":
			r.Max, max = d.number(name, v, 0, 1e6), true
		case "comment":
			r.Comment = d.text(name, v, MaxTextBytes)
		case "at":
			r.At = d.time(name, v)
		case "attributes":
			r.Attributes = d.attributes(name, v, r.Attributes)
		default:
			return false
		}
		return true
	}, &r.Attributes)
	d.required("session_id", r.SessionID)
	switch {
	case d.err != nil:
	case !score:
		d.fail(&FieldError{Field: "score", Problem: "is missing", Hint: "a number from 0 to max"})
	case !max:
		d.fail(&FieldError{Field: "max", Problem: "is missing", Hint: "the highest score a customer can give, such as 5"})
	case r.Max <= 0:
		d.fail(&FieldError{Field: "max", Problem: "must be above 0", Hint: "the highest score a customer can give, such as 5"})
	case r.Score < 0 || r.Score > r.Max:
		d.fail(&FieldError{Field: "score", Problem: fmt.Sprintf("%v is not between 0 and max %v", r.Score, r.Max), Hint: "check which of the two is meant"})
	}
	r.Repairs = d.repairs
	return r
}

// OrderRank is the rank of an order status (created 0 .. refunded 3), -1 for an unknown one.
func OrderRank(status string) int {
	for i, s := range OrderStatuses {
		if s == status {
			return i
		}
	}
	return -1
}

// object calls field for every member; those it does not take go to unknown (nil: they are left out on purpose).
func (d *decoder) object(v gjson.Result, field func(string, gjson.Result) bool, unknown *map[string]string) {
	v.ForEach(func(k, v gjson.Result) bool {
		name := k.Str
		if !field(name, v) && unknown != nil {
			d.attribute("", name, v, unknown)
		}
		return d.err == nil
	})
}

func (d *decoder) attribute(parent, name string, v gjson.Result, into *map[string]string) {
	if v.Type == gjson.Null {
		return
	}
	name = strings.Clone(d.clean(name))
	if len(name) > MaxNameBytes {
		d.fail(&FieldError{Field: parent, Problem: fmt.Sprintf("field name of %d bytes is over the limit of %d", len(name), MaxNameBytes)})
		return
	}
	if *into == nil {
		*into = map[string]string{}
	}
	if len(*into) >= MaxAttributes {
		d.fail(&FieldError{Field: parent + name, Problem: fmt.Sprintf("more than %d attributes", MaxAttributes), Hint: "send only what is needed"})
		return
	}
	if v.Type == gjson.String {
		(*into)[name] = d.text(parent+name, v, MaxTextBytes)
		return
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(v.Raw)); err != nil || b.Len() > MaxTextBytes {
		d.fail(&FieldError{Field: parent + name, Problem: fmt.Sprintf("value is over the limit of %d bytes", MaxTextBytes)})
		return
	}
	(*into)[name] = d.clean(b.String())
}

func (d *decoder) attributes(path string, v gjson.Result, into map[string]string) map[string]string {
	if v.Type == gjson.Null {
		return into
	}
	if !v.IsObject() {
		d.fail(wrongType(path, v, "an object"))
		return into
	}
	v.ForEach(func(k, v gjson.Result) bool {
		d.attribute(path+".", k.Str, v, &into)
		return d.err == nil
	})
	return into
}

func (d *decoder) required(field, value string) {
	if d.err == nil && value == "" {
		d.fail(&FieldError{Field: field, Problem: "is missing or empty", Hint: "it is required"})
	}
}

func (d *decoder) id(field string, v gjson.Result) string {
	if v.Type == gjson.Number && isInteger(v.Raw) {
		return v.Raw // exporters often write ids as numbers; the digits are the id
	}
	return d.text(field, v, MaxIDBytes)
}

func (d *decoder) text(field string, v gjson.Result, limit int) string {
	switch v.Type {
	case gjson.Null:
		return ""
	case gjson.String:
	default:
		d.fail(wrongType(field, v, "a string"))
		return ""
	}
	s := d.clean(v.Str)
	if len(s) > limit {
		d.fail(&FieldError{Field: field, Problem: fmt.Sprintf("text of %d bytes is over the limit of %d", len(s), limit), Hint: "shorten it"})
		return ""
	}
	// gjson strings may share memory with the message; a turn must not keep the whole message alive.
	return strings.Clone(s)
}

func (d *decoder) clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
		d.repairs |= RepairNUL
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
		d.repairs |= RepairUTF8
	}
	return s
}

func (d *decoder) role(field string, v gjson.Result) Role {
	if v.Type != gjson.String {
		d.fail(wrongType(field, v, "a string"))
		return ""
	}
	switch r := Role(v.Str); r {
	case Customer:
		return Customer
	case Agent:
		return Agent
	case Bot:
		return Bot
	case System:
		return System
	default:
		d.fail(&FieldError{Field: field, Problem: "unknown role " + quote(v.Str), Hint: "one of customer, agent, bot, system"})
		return ""
	}
}

// time reads an RFC 3339 time (also with a blank for the T). A time outside 1970..2261, which the warehouse cannot
// hold and which only a broken clock gives, is dropped and noted; anything else that is no time is an error.
func (d *decoder) time(field string, v gjson.Result) time.Time {
	if v.Type == gjson.Null || v.Type == gjson.String && v.Str == "" {
		return time.Time{}
	}
	if v.Type != gjson.String {
		d.fail(wrongType(field, v, "a time as RFC 3339 text"))
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v.Str)
	if err != nil && len(v.Str) > 10 && v.Str[10] == ' ' {
		t, err = time.Parse(time.RFC3339Nano, v.Str[:10]+"T"+v.Str[11:])
	}
	if err != nil {
		d.fail(&FieldError{Field: field, Problem: quote(v.Str) + " is no RFC 3339 time", Hint: "such as 2026-11-02T10:15:00+08:00; the zone is needed"})
		return time.Time{}
	}
	t = t.UTC().Truncate(time.Millisecond)
	if y := t.Year(); y < 1970 || y > 2261 {
		d.repairs |= RepairTime
		return time.Time{}
	}
	return t
}

func (d *decoder) integer(field string, v gjson.Result, min, max int64) int64 {
	if v.Type == gjson.Null {
		return 0
	}
	if v.Type != gjson.Number {
		d.fail(wrongType(field, v, "a whole number"))
		return 0
	}
	f := v.Float()
	if f != math.Trunc(f) || f < float64(min) || f > float64(max) {
		d.fail(&FieldError{Field: field, Problem: v.Raw + " is not a whole number from " + fmt.Sprint(min) + " to " + fmt.Sprint(max)})
		return 0
	}
	return int64(f)
}

func (d *decoder) number(field string, v gjson.Result, min, max float64) float64 {
	if v.Type != gjson.Number {
		d.fail(wrongType(field, v, "a number"))
		return 0
	}
	f := v.Float()
	if math.IsNaN(f) || f < min || f > max {
		d.fail(&FieldError{Field: field, Problem: fmt.Sprintf("%s is not between %v and %v", v.Raw, min, max)})
		return 0
	}
	return f
}

func (d *decoder) boolean(field string, v gjson.Result) bool {
	switch v.Type {
	case gjson.True:
		return true
	case gjson.False, gjson.Null:
		return false
	}
	d.fail(wrongType(field, v, "true or false"))
	return false
}

// money reads a decimal of at most 14 digits before and 4 after the point. A JSON number is taken by its digits, so
// nothing is lost to floating point.
func (d *decoder) money(field string, v gjson.Result) string {
	s := v.Str
	switch v.Type {
	case gjson.Null:
		return ""
	case gjson.Number:
		s = v.Raw
	case gjson.String:
	default:
		d.fail(wrongType(field, v, `a decimal such as "129.00"`))
		return ""
	}
	if s == "" {
		return ""
	}
	digits := strings.TrimPrefix(s, "-")
	whole, frac, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 14 || len(frac) > 4 || point && frac == "" || !allDigits(whole) || !allDigits(frac) {
		d.fail(&FieldError{Field: field, Problem: quote(s) + " is no amount of money", Hint: `a decimal with at most four places, such as "129.00"`})
		return ""
	}
	return strings.Clone(s)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isInteger(raw string) bool {
	return raw != "" && len(raw) <= 20 && allDigits(strings.TrimPrefix(raw, "-"))
}

func wrongType(field string, v gjson.Result, want string) *FieldError {
	return &FieldError{Field: field, Problem: "is " + typeName(v) + ", must be " + want}
}

func typeName(v gjson.Result) string {
	switch {
	case v.IsArray():
		return "a list"
	case v.IsObject():
		return "an object"
	}
	switch v.Type {
	case gjson.String:
		return "a string"
	case gjson.Number:
		return "a number"
	case gjson.True, gjson.False:
		return "true or false"
	}
	return "null"
}

// quote shows at most the first 40 bytes of a value, cut at a rune, so that errors stay short.
func quote(s string) string {
	if len(s) > 40 {
		n := 40
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "..."
	}
	return fmt.Sprintf("%q", s)
}

func syntaxError(line []byte) *FieldError {
	var v json.RawMessage
	err := json.Unmarshal(line, &v)
	var se *json.SyntaxError
	if errors.As(err, &se) {
		return &FieldError{Problem: fmt.Sprintf("broken JSON at byte %d: %v", se.Offset, se), Hint: "one whole JSON object a line"}
	}
	return &FieldError{Problem: "broken JSON", Hint: "one whole JSON object a line"}
}
