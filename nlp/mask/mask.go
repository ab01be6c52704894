// Package mask takes personal data out of transcripts before anything is stored or analysed: telephone numbers, identity
// and bank cards, number plates, e-mail, WeChat and QQ accounts, addresses, names, order and parcel numbers. Each becomes
// a tag in the style of public Chinese chat data, such as [电话x]; customer ids become keyed pseudonyms. Service numbers
// (10086, 95xxx, 400-), prices, dates, sizes, model names and quantities stay.
//
// It finds what has a form (check digits, number formats), a cue before it (微信号, 收件人, 订单号) or a structure
// (province, district, road, number). A name or a handle without any of these stays.
//
// It imports schemas and nlp/textnorm.
package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/tingke/tingke/schemas"
)

// kind is a type of personal data.
type kind uint8

const (
	none kind = iota
	phone
	idCard
	bankCard
	plate
	email
	wechat
	qq
	address
	name
	order
	parcel
	// other is a placeholder that was in the text and is none of ours, such as [金额x].
	other
)

var kinds = [...]struct{ key, tag string }{
	phone: {"phone", "[电话x]"}, idCard: {"id_card", "[证件x]"}, bankCard: {"bank_card", "[银行卡x]"}, plate: {"plate", "[车牌x]"},
	email: {"email", "[邮箱x]"}, wechat: {"wechat", "[微信x]"}, qq: {"qq", "[QQx]"}, address: {"address", "[地址x]"},
	name: {"name", "[姓名x]"}, order: {"order", "[订单x]"}, parcel: {"parcel", "[单号x]"},
}

// labels are the words of placeholders and the entity type each stands for, ours and those of public data.
var labels = map[string]struct {
	kind kind
	key  string
}{
	"电话": {phone, "phone"}, "手机": {phone, "phone"}, "手机号": {phone, "phone"}, "证件": {idCard, "id_card"},
	"身份证": {idCard, "id_card"}, "身份证号": {idCard, "id_card"}, "银行卡": {bankCard, "bank_card"}, "卡号": {bankCard, "bank_card"},
	"车牌": {plate, "plate"}, "邮箱": {email, "email"}, "微信": {wechat, "wechat"}, "QQ": {qq, "qq"}, "地址": {address, "address"},
	"姓名": {name, "name"}, "订单": {order, "order"}, "单号": {parcel, "parcel"}, "数字": {other, "number"}, "金额": {other, "amount"},
	"日期": {other, "date"}, "时间": {other, "time"}, "链接": {other, "url"}, "站点": {other, "site"}, "组织机构": {other, "organisation"},
}

// Options of a Masker. The zero value is fine.
type Options struct {
	// ServiceNumbers are further public numbers of the company that stay, digits only.
	ServiceNumbers []string
}

// Masker masks texts and messages. It is safe for concurrent use.
type Masker struct {
	key     []byte
	service map[string]bool
}

// New makes a masker; key makes the pseudonyms of customers and must be the same for the whole life of a deployment.
func New(key []byte, o Options) *Masker {
	prepare()
	m := &Masker{key: append([]byte(nil), key...), service: map[string]bool{}}
	for _, n := range o.ServiceNumbers {
		m.service[onlyDigits(n)] = true
	}
	return m
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// span is a find: bytes of the text.
type span struct {
	start, end int
	kind       kind
}

// Text masks one text and gives every placeholder of the masked text, those that were in the text before included.
// All else stays byte for byte. Masking a masked text changes nothing. A text without anything to mask and without
// placeholders costs no allocation.
func (m *Masker) Text(s string) (masked string, entities []schemas.Entity) {
	// A find can uncover another one, by taking away what hid it. Going on until nothing is found makes masking
	// idempotent; every round turns some text into placeholders, so it ends.
	for {
		signs := scan(s)
		if !signs.worth() {
			break
		}
		v := views.Get().(*view)
		v.build(s, signs)
		m.find(v, signs)
		if len(v.found) == 0 {
			v.release()
			break
		}
		s = replace(s, v.found)
		v.release()
	}
	return s, placeholders(s)
}

// find fills v.found with spans in order, without overlap.
func (m *Masker) find(v *view, signs signs) {
	if signs.has(signDigit|signAt) || signs.has(signLatin) {
		m.findAccounts(v)
	}
	if signs.digits+signs.numerals >= minDigits {
		m.findNumbers(v)
	}
	if signs.has(signName) || len(v.found) > 0 || v.marks {
		v.findNames()
	}
	if signs.places >= minPlaces {
		v.findAddresses()
	}
	v.sortFound()
}

func replace(s string, found []span) string {
	size := len(s)
	for _, f := range found {
		size += len(kinds[f.kind].tag) - (f.end - f.start)
	}
	var b strings.Builder
	b.Grow(size)
	at := 0
	for _, f := range found {
		b.WriteString(s[at:f.start])
		b.WriteString(kinds[f.kind].tag)
		at = f.end
	}
	b.WriteString(s[at:])
	return b.String()
}

// placeholder reads the placeholder at the start of s: up to eight Han characters or QQ between "[" and "x]".
func placeholder(s string) (label string, size int) {
	if s == "" || s[0] != '[' {
		return "", 0
	}
	end := strings.IndexByte(s[:min(len(s), 28)], ']')
	if end < 3 || s[end-1] != 'x' {
		return "", 0
	}
	label = s[1 : end-1]
	if label == "QQ" {
		return label, end + 1
	}
	for _, r := range label {
		if r < 0x4e00 || r > 0x9fff {
			return "", 0
		}
	}
	return label, end + 1
}

// placeholders lists the placeholders of a text.
func placeholders(s string) []schemas.Entity {
	var found []schemas.Entity
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '[')
		if i < 0 {
			return found
		}
		at += i
		label, size := placeholder(s[at:])
		if size == 0 {
			at++
			continue
		}
		key := labels[label].key
		if key == "" {
			key = "masked"
		}
		found = append(found, schemas.Entity{Type: key, Start: at, End: at + size})
		at += size
	}
}

const (
	pseudonymPrefix = "cu_"
	pseudonymDigits = 24
	checkDigits     = 8
)

// Pseudonym gives the keyed pseudonym of a customer id: cu_ and 32 hex digits, the last 8 of which prove that it was
// made with this key, so that the pseudonym of a pseudonym is itself. An empty id stays empty.
func (m *Masker) Pseudonym(id string) string {
	if id == "" || m.isPseudonym(id) {
		return id
	}
	body := m.mac("customer", id)[:pseudonymDigits]
	return pseudonymPrefix + body + m.mac("check", body)[:checkDigits]
}

func (m *Masker) isPseudonym(id string) bool {
	if len(id) != len(pseudonymPrefix)+pseudonymDigits+checkDigits || id[:len(pseudonymPrefix)] != pseudonymPrefix {
		return false
	}
	body, check := id[len(pseudonymPrefix):len(id)-checkDigits], id[len(id)-checkDigits:]
	return hmac.Equal([]byte(m.mac("check", body)[:checkDigits]), []byte(check))
}

func (m *Masker) mac(purpose, text string) string {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

var views = sync.Pool{New: func() any { return new(view) }}

// isHan says whether a folded character is a Chinese one.
func isHan(r rune) bool { return r >= 0x3400 && r <= 0x9fff }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' }

func isAlnum(r rune) bool { return isDigit(r) || isLetter(r) }

// charSet is a set of characters of the basic plane.
type charSet [0x10000 / 64]uint64

func (s *charSet) has(r rune) bool {
	return uint32(r) < 0x10000 && s[r>>6]&(1<<(r&63)) != 0
}

func (s *charSet) add(r rune) { s[r>>6] |= 1 << (r & 63) }

func runeSet(s string) *charSet {
	set := new(charSet)
	for _, r := range s {
		set.add(r)
	}
	return set
}
