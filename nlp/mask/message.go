package mask

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// Message masks a whole message in place, as the first step after decoding: texts, comments, item names and attribute
// values are masked, customer ids become pseudonyms, secrets leave media_url. Ids of sessions, orders and agents, names of
// agents and teams, shops, products and times stay: they are needed to count. Masking a masked message changes nothing.
func (m *Masker) Message(msg *schemas.Message) {
	if s := msg.Session; s != nil {
		m.Meta(&s.Meta)
		for i := range s.Turns {
			m.Turn(&s.Turns[i])
		}
	}
	if t := msg.Turn; t != nil {
		m.Turn(&t.Turn)
	}
	if o := msg.Order; o != nil {
		o.CustomerID = m.Pseudonym(o.CustomerID)
		for i := range o.Items {
			o.Items[i].Name, _ = m.Text(o.Items[i].Name)
		}
		o.Attributes = m.attributes(o.Attributes)
	}
	if r := msg.Rating; r != nil {
		r.Comment, _ = m.Text(r.Comment)
		r.Attributes = m.attributes(r.Attributes)
	}
}

// Meta masks what a session message says beside its turns.
func (m *Masker) Meta(meta *schemas.Meta) {
	meta.CustomerID = m.Pseudonym(meta.CustomerID)
	meta.MediaURL = m.mediaURL(meta.MediaURL)
	meta.Attributes = m.attributes(meta.Attributes)
}

// Turn masks one turn.
func (m *Masker) Turn(t *schemas.Turn) {
	t.Text, _ = m.Text(t.Text)
	t.Attributes = m.attributes(t.Attributes)
}

// attributes masks the values of attributes and gives the map back; keys stay.
func (m *Masker) attributes(a map[string]string) map[string]string {
	for k, v := range a {
		if masked := m.value(k, v); masked != v {
			a[k] = masked
		}
	}
	return a
}

// What the key of an attribute says of its value: nothing, that it is the id of a customer, or that all of it is
// personal data.
const (
	fieldFree = iota
	fieldCustomer
	fieldName
	fieldNumber // only when it holds digits enough
)

// fieldKinds are attribute keys, lower case without - and _.
var fieldKinds = func() map[string]struct {
	field int
	kind  kind
} {
	m := map[string]struct {
		field int
		kind  kind
	}{}
	add := func(field int, k kind, keys ...string) {
		for _, key := range keys {
			m[key] = struct {
				field int
				kind  kind
			}{field, k}
		}
	}
	add(fieldCustomer, none, "customerid", "userid", "buyerid", "memberid", "uid", "openid", "unionid", "buyernick", "customernick", "usernick", "buyeraccount", "customeraccount", "客户id", "用户id", "买家id", "会员id", "买家账号", "客户账号")
	add(fieldName, name, "customername", "username", "buyername", "buyer", "receiver", "receivername", "consignee", "consigneename", "realname", "contact", "contactname", "contactperson", "recipient", "nickname", "nick", "membername", "callername", "姓名", "客户姓名", "客户名称", "用户姓名", "收件人", "收货人", "联系人", "买家", "买家昵称", "昵称", "客户昵称", "用户昵称", "会员名", "真实姓名")
	add(fieldName, address, "address", "receiveraddress", "shippingaddress", "deliveryaddress", "customeraddress", "addr", "detailaddress", "地址", "收货地址", "详细地址", "客户地址", "家庭住址", "安装地址")
	add(fieldNumber, phone, "phone", "mobile", "tel", "telephone", "cellphone", "phonenumber", "mobilephone", "mobilenumber", "customerphone", "customermobile", "receiverphone", "receivermobile", "buyerphone", "buyermobile", "callernumber", "caller", "callee", "callingnumber", "contactphone", "手机", "手机号", "手机号码", "电话", "联系电话", "联系方式", "主叫号码", "来电号码", "客户电话", "收货电话")
	add(fieldNumber, idCard, "idcard", "idno", "idnumber", "identityno", "identity", "passport", "身份证", "身份证号", "证件号", "证件号码")
	add(fieldNumber, bankCard, "bankcard", "cardno", "cardnumber", "bankaccount", "银行卡", "银行卡号", "卡号")
	add(fieldName, wechat, "wechat", "wechatid", "weixin", "wx", "wxid", "微信", "微信号")
	add(fieldNumber, qq, "qq", "qqnumber", "qq号")
	add(fieldName, email, "email", "mail", "emailaddress", "邮箱")
	add(fieldName, plate, "plate", "plateno", "platenumber", "licenseplate", "车牌", "车牌号")
	return m
}()

// value masks the value of a field by its key and content.
func (m *Masker) value(key, v string) string {
	if v == "" {
		return v
	}
	if v[0] == '{' || v[0] == '[' {
		if masked, ok := m.json(key, v); ok {
			return masked
		}
	}
	if _, size := placeholder(v); size == len(v) {
		return v
	}
	f := fieldKinds[foldKey(key)]
	switch f.field {
	case fieldCustomer:
		return m.Pseudonym(v)
	case fieldName:
		return kinds[f.kind].tag
	case fieldNumber:
		if digits := onlyDigits(v); len(digits) >= 5 && !m.public([]byte(digits)) {
			return kinds[f.kind].tag
		}
	}
	masked, _ := m.Text(v)
	return masked
}

func foldKey(key string) string {
	key = strings.ToLower(key)
	if !strings.ContainsAny(key, "-_ .") {
		return key
	}
	return strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(key)
}

// json masks the values inside a JSON value, of which attributes hold any. It stays JSON: a number with personal data
// becomes a string. ok is false where v is no JSON.
func (m *Masker) json(key, v string) (masked string, ok bool) {
	d := json.NewDecoder(strings.NewReader(v))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil || d.More() {
		return "", false
	}
	changed := false
	tree = m.walk(key, tree, &changed)
	if !changed {
		return v, true
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(tree); err != nil {
		return "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), true
}

func (m *Masker) walk(key string, tree any, changed *bool) any {
	switch t := tree.(type) {
	case map[string]any:
		for k, v := range t {
			t[k] = m.walk(k, v, changed)
		}
	case []any:
		for i, v := range t {
			t[i] = m.walk(key, v, changed)
		}
	case string:
		if masked := m.value(key, t); masked != t {
			*changed = true
			return masked
		}
	case json.Number:
		if masked := m.value(key, t.String()); masked != t.String() {
			*changed = true
			return masked
		}
	}
	return tree
}

// keptFields are fields of raw messages that are never masked, because they are no texts and must stay equal.
var keptFields = map[string]bool{"sessionid": true, "orderid": true, "agentid": true, "agentname": true, "type": true, "role": true, "shop": true, "team": true, "seq": true, "at": true, "updatedat": true, "startedat": true, "endedat": true, "createdat": true, "paidat": true, "startms": true, "endms": true, "revision": true, "sessionrevision": true, "sku": true, "product": true, "skillgroup": true, "source": true, "channel": true, "business": true}

// Raw masks a message that could not be decoded, for the table of dead letters: field by field where it is JSON, as one
// text otherwise. The result is valid UTF-8.
func (m *Masker) Raw(raw []byte) string {
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil || d.More() {
		return m.broken(unescape(text))
	}
	m.rawObject(tree)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(tree); err != nil {
		return m.broken(text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// escape is a JSON escape of one UTF-16 unit.
var escape = regexp.MustCompile(`\\u[0-9a-fA-F]{4}`)

// unescape shows what broken JSON says behind its \u escapes, or a telephone number written so would not be seen.
// Controls, quotes, backslashes and surrogates stay escaped.
func unescape(text string) string {
	return escape.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 16, 16)
		if r := rune(n); err == nil && r >= ' ' && r != '"' && r != '\\' && utf8.ValidRune(r) {
			return string(r)
		}
		return s
	})
}

func (m *Masker) rawObject(o map[string]any) {
	var changed bool
	for k, v := range o {
		if keptFields[foldKey(k)] {
			continue
		}
		if k == "media_url" {
			if s, ok := v.(string); ok {
				o[k] = m.mediaURL(s)
				continue
			}
		}
		if list, ok := v.([]any); ok && (k == "turns" || k == "items") {
			for i := range list {
				if item, ok := list[i].(map[string]any); ok {
					m.rawObject(item)
				} else {
					list[i] = m.walk(k, list[i], &changed)
				}
			}
			continue
		}
		o[k] = m.walk(k, v, &changed)
	}
}

// broken masks a text that should have been JSON: string values behind keys that name a person are taken out whole.
func (m *Masker) broken(text string) string {
	var b strings.Builder
	for {
		// A key is a string followed by a colon; its value a string up to the next quote or the end.
		open := strings.IndexByte(text, '"')
		if open < 0 {
			break
		}
		closing := strings.IndexByte(text[open+1:], '"')
		if closing < 0 {
			break
		}
		closing += open + 1
		key := text[open+1 : closing]
		f, known := fieldKinds[foldKey(key)]
		b.WriteString(text[:closing+1])
		text = text[closing+1:]
		if !known || f.field == fieldNumber {
			continue
		}
		rest := strings.TrimLeft(text, " \t\r\n:")
		if len(rest) == len(text) || rest == "" || rest[0] != '"' {
			continue
		}
		b.WriteString(text[:len(text)-len(rest)+1])
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			end = len(rest) - 1
		}
		b.WriteString(m.value(key, rest[1:1+end]))
		text = rest[1+end:]
		if text != "" { // past the closing quote, so that it is not taken for an opening one
			b.WriteByte('"')
			text = text[1:]
		}
	}
	b.WriteString(text)
	masked, _ := m.Text(b.String())
	return masked
}

// secretParams are parts of names of URL parameters that hold credentials.
var secretParams = []string{"token", "sign", "secret", "key", "auth", "pass", "pwd", "credential", "expires", "session", "ticket", "policy", "jwt", "code"}

// mediaURL takes credentials and personal data out of an URL: user and password, values of secret parameters, and what
// Text masks in other values. Path and names of parameters stay, so that one sees what the recording was.
func (m *Masker) mediaURL(s string) string {
	if s == "" || !strings.ContainsAny(s, "?@#") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		base := s
		if end := strings.IndexAny(s, "?#"); end >= 0 {
			base = s[:end]
		}
		base, _ = m.Text(base[strings.LastIndex(base, "@")+1:]) // what stands before may be a password
		return base
	}
	changed := u.User != nil || u.Fragment != ""
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	if u.RawQuery != "" {
		parts := strings.Split(u.RawQuery, "&")
		for i, p := range parts {
			k, v, ok := strings.Cut(p, "=")
			if !ok || v == "" {
				continue
			}
			name, value := strings.ToLower(k), v
			if plain, err := url.QueryUnescape(v); err == nil {
				value = plain
			}
			secret := false
			for _, part := range secretParams {
				secret = secret || strings.Contains(name, part)
			}
			if secret || m.value(k, value) != value {
				parts[i] = k + "=x"
				changed = true
			}
		}
		u.RawQuery = strings.Join(parts, "&")
	}
	if !changed {
		return s
	}
	return u.String()
}
