package mask

import "time"

// run is a maximal run of digits: r[start:end].
type run struct{ start, end int }

func (n run) len() int { return n.end - n.start }

// maxGroups bounds how many groups of digits one number may be written in.
const maxGroups = 19

// findNumbers finds telephone numbers, identity and bank cards, order and parcel numbers.
func (m *Masker) findNumbers(v *view) {
	v.runs = v.runs[:0]
	for i := 0; i < len(v.r); {
		if !isDigit(v.r[i]) {
			i++
			continue
		}
		j := i + 1
		for j < len(v.r) && isDigit(v.r[j]) {
			j++
		}
		v.runs = append(v.runs, run{i, j})
		i = j
	}
	for i := 0; i < len(v.runs); {
		i += max(1, m.number(v, i))
	}
}

// group is a number that starts with run i, written in n runs.
type group struct {
	digits [24]byte
	len    int // digits
	sizes  [maxGroups]int
	n      int  // runs
	end    int  // behind the last digit
	comma  bool // punctuation between the digits
	paren  bool // a closing parenthesis between them, as in (0571)88881234
}

// join adds the next run to g; it fails where the gap before it is no separator inside a number.
func (g *group) join(v *view, i int) bool {
	if i >= len(v.runs) || g.n == maxGroups {
		return false
	}
	next := v.runs[i]
	if g.len+next.len() > len(g.digits) {
		return false
	}
	if g.n > 0 {
		gap := v.r[g.end:next.start]
		if len(gap) > 3 {
			return false
		}
		for _, r := range gap {
			switch r {
			case ' ', '-', '–', '—', '_':
			case ',', '.', '。', '、', '·', '~', '*', '/', ';':
				g.comma = true
			case ')':
				g.paren = true
			case '嗯', '啊', '呃', '哦':
				if !v.spoken {
					return false
				}
			default:
				return false
			}
		}
	}
	for n := next.start; n < next.end; n++ {
		g.digits[g.len] = byte(v.r[n])
		g.len++
	}
	g.sizes[g.n] = next.len()
	g.n++
	g.end = next.end
	return true
}

// uniform says whether every group but the last has the given size and the last at most that.
func (g *group) uniform(size int) bool {
	for i, n := range g.sizes[:g.n] {
		if n > size || i < g.n-1 && n != size {
			return false
		}
	}
	return true
}

// number looks for a number that starts at run i, claims it and says how many runs it took.
func (m *Masker) number(v *view, i int) int {
	first := v.runs[i]
	if isMark(v.r[first.start]) {
		return 1
	}
	if v.at(first.start-1) == '.' && isDigit(v.at(first.start-2)) && first.len() < 7 {
		return 1 // decimals
	}
	cue, _ := v.cueBefore(first.start)
	if cue == cueKeep && v.plainKeep(first) {
		return 1
	}
	if m.code(v, first, cue) {
		return 1
	}
	// The shortest joining that is a number wins, so that a room number before a telephone number stays apart.
	var g group
	for n := i; g.join(v, n); n++ {
		start := first.start
		if k, from, end := m.classify(v, &g, start, cue); k != none {
			v.claim(from, end, k)
			return g.n
		}
	}
	return 1
}

// plainKeep says whether a number announced as a public one is not a mobile number after all.
func (v *view) plainKeep(n run) bool {
	return n.len() != 11 || v.r[n.start] != '1'
}

// classify says what the digits of g are, given the cue before them, and the characters to mask.
func (m *Masker) classify(v *view, g *group, start int, cue cueKind) (k kind, from, end int) {
	d := g.digits[:g.len]
	from, end = start, g.end
	single := g.n == 1
	if m.public(d) && !(cue == cueQQ && single && len(d) == 10) {
		return none, 0, 0
	}
	if single && len(d) >= 8 && len(d) <= 24 {
		switch {
		case cue == cueOrder:
			return order, from, end
		case cue == cueParcel && !(len(d) == 11 && mobile(d)):
			return parcel, from, end
		}
	}
	if end2 := v.idCard(g, cue); end2 > 0 {
		return idCard, from, end2
	}
	if n := mobilePrefix(d); n >= 0 && len(d)-n == 11 && g.phoneGroups(n) && (!g.paren || n > 0) {
		if g.n > 1 && v.atDecimalOrUnit(end) {
			return none, 0, 0
		}
		if n > 0 && v.at(from-1) == '+' {
			from--
		}
		if cue == cueWechat && single {
			return wechat, from, end
		}
		return phone, from, end
	}
	if f, e := v.landline(g, start); e > 0 {
		return phone, f, e
	}
	if k := g.bankCard(cue); k {
		return bankCard, from, end
	}
	if !single {
		return none, 0, 0
	}
	switch cue {
	case cuePhone:
		if len(d) >= 7 && len(d) <= 13 && !v.atDecimalOrUnit(end) && !looksLikeDate(d) {
			return phone, from, end
		}
	case cueAccount:
		if len(d) >= 12 {
			return bankCard, from, end
		}
		if len(d) >= 9 && !v.atDecimalOrUnit(end) {
			return bankCard, from, end
		}
	case cueOrderNear:
		if len(d) >= 10 {
			return order, from, end
		}
	case cueParcelNear:
		if len(d) >= 12 {
			return parcel, from, end
		}
	}
	if v.orderAfter(end) && len(d) >= 10 {
		return order, from, end
	}
	if len(d) == 12 && mobile(d) && (v.nameNear(start, end)) {
		return phone, from, end // a mobile number with a digit too many, beside a name
	}
	if len(d) >= 17 && cue != cueKeep {
		return order, from, end
	}
	return none, 0, 0
}

// public says whether a number is a public service number.
func (m *Masker) public(d []byte) bool {
	if m.service[string(d)] {
		return true
	}
	s := string(d)
	has := func(prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
	switch len(s) {
	case 3:
		return true
	case 4, 5, 6:
		return has("1") || has("9")
	case 7:
		return has("95") || has("96") || has("106")
	case 8:
		return has("1010") || has("95") || has("9510") || has("106")
	case 9:
		return has("800") || has("400") || has("106")
	case 10:
		return has("400") || has("800") || has("106")
	case 12:
		return has("106") && !mobile(d)
	}
	return has("1065") || has("1068") || has("1069")
}

// mobile says whether digits begin like a mobile number.
func mobile(d []byte) bool { return len(d) >= 2 && d[0] == '1' && d[1] >= '3' }

// mobilePrefix gives how many digits stand before a mobile number: 0, or those of 86, 0086 and 0; -1 where it is none.
func mobilePrefix(d []byte) int {
	for _, p := range []string{"", "86", "0086", "0"} {
		if len(d) == len(p)+11 && string(d[:len(p)]) == p && mobile(d[len(p):]) {
			return len(p)
		}
	}
	return -1
}

// phoneGroups says whether eleven digits behind a prefix of skip digits are grouped the way people write a mobile
// number: in one, 3-4-4 and the like, in pairs, or digit by digit.
func (g *group) phoneGroups(skip int) bool {
	sizes := g.sizes[:g.n]
	if skip > 0 && len(sizes) > 1 && sizes[0] == skip {
		sizes = sizes[1:]
		skip = 0
	}
	if len(sizes) == 1 {
		return true
	}
	var b [maxGroups]byte
	for i, n := range sizes {
		if i == 0 {
			n -= skip
		}
		if n < 1 || n > 9 {
			return false
		}
		b[i] = '0' + byte(n)
	}
	switch string(b[:len(sizes)]) {
	case "344", "38", "74":
		return true
	case "335", "434", "56", "443", "533", "65", "4322", "3422", "32222", "3224", "3242", "12222", "122222", "22222", "222221", "353", "3332":
		return !g.comma
	case "11111111111":
		return true
	}
	return false
}

// atDecimalOrUnit says whether what follows makes the digits before it an amount or a measure.
func (v *view) atDecimalOrUnit(i int) bool {
	switch r := v.at(i); r {
	case '元', '块', '%', '℃', '克', '斤', '件', '包', '片', '米', '年', '岁', '平', '万':
		return true
	case '.':
		return isDigit(v.at(i + 1))
	}
	return false
}

// looksLikeDate says whether eight digits are a day of 1990..2039.
func looksLikeDate(d []byte) bool {
	return len(d) == 8 && (string(d[:2]) == "20" || string(d[:3]) == "199") && realDay(string(d))
}

// orderAfter says whether a number is named as an order behind it: 6997...783 这个订单.
func (v *view) orderAfter(i int) bool {
	for n := 0; n < 6; n++ {
		r := v.at(i + n)
		if r == '订' && v.at(i+n+1) == '单' {
			return true
		}
		if !(r == ' ' || r == ',' || r == '这' || r == '个' || r == '的' || r == '是' || r == '我' || r == '那' || r == '此' || r == '该' || r == '。') {
			return false
		}
	}
	return false
}

// nameNear says whether a known name stands right before or behind the characters start up to end.
func (v *view) nameNear(start, end int) bool {
	for n := 0; n < 3 && (v.at(start-1) == ' ' || v.at(start-1) == ','); n++ {
		start--
	}
	if c := v.at(start - 1); c == '生' || c == '士' || c == '姐' || c == '收' {
		start -= 1 + boolInt(c != '收')
	}
	if v.at(start-1) == mark(name) {
		return true
	}
	if i := v.nameEndingAt(start); i >= 0 {
		return true
	}
	for n := 0; n < 3 && (v.at(end) == ' ' || v.at(end) == ','); n++ {
		end++
	}
	return v.nameStartingAt(end) > 0
}

// idCard gives the end of an identity card number at g, 0 where it is none.
func (v *view) idCard(g *group, cue cueKind) int {
	d := g.digits[:g.len]
	if g.n > 6 || g.paren || g.comma && cue != cueID {
		return 0
	}
	switch g.len {
	case 17:
		if v.at(g.end) == 'x' && !isAlnum(v.at(g.end+1)) {
			if validID(d, 'x') || cue == cueID {
				return g.end + 1
			}
		}
	case 18:
		if validID(d[:17], d[17]) || cue == cueID {
			return g.end
		}
	case 15:
		if cue == cueID || g.n == 1 && province[string(d[:2])] && realDay("19"+string(d[6:12])) && cue != cueOrder && cue != cueOrderNear {
			return g.end
		}
	}
	return 0
}

var province = func() map[string]bool {
	m := map[string]bool{}
	for _, p := range []string{"11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82", "83"} {
		m[p] = true
	}
	return m
}()

// validID checks area, birthday and the check digit (GB 11643) of an identity card number.
func validID(d []byte, check byte) bool {
	if !province[string(d[:2])] || !realDay(string(d[6:14])) {
		return false
	}
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(d[i]-'0') * w
	}
	return "10x98765432"[sum%11] == check
}

func realDay(yyyymmdd string) bool {
	t, err := time.Parse("20060102", yyyymmdd)
	return err == nil && t.Year() >= 1900 && t.Year() < 2100
}

// landline gives the characters of a fixed-line number with area code, (0571) and an extension included; end is 0 where
// it is none.
func (v *view) landline(g *group, start int) (from, end int) {
	d := g.digits[:g.len]
	if g.n > 4 || g.len < 10 || g.len > 14 {
		return 0, 0
	}
	skip := 0
	if string(d[:2]) == "86" && len(d) > 11 { // +86 10 6392 3300: the zero is left out
		skip = 2
	}
	body := d[skip:]
	if skip == 0 {
		if body[0] != '0' {
			return 0, 0
		}
		body = body[1:]
	} else if body[0] == '0' {
		body = body[1:]
	}
	var area int
	switch {
	case len(body) >= 10 && (string(body[:2]) == "10" || body[0] == '2'):
		area = 2
	case len(body) >= 10 && body[0] >= '3' && body[0] <= '9':
		area = 3
	default:
		return 0, 0
	}
	local := len(body) - area
	if local != 7 && local != 8 || area == 2 && local != 8 || body[area] == '0' || body[area] == '1' {
		return 0, 0
	}
	if g.n > 1 {
		// The area code is a group of its own, or the groups are 4-4 behind it.
		if g.comma && g.n > 2 {
			return 0, 0
		}
		first := g.sizes[0]
		if skip > 0 && first == skip {
			first = g.sizes[1]
		}
		if first != area && first != area+1 && first != area+1+skip {
			return 0, 0
		}
	}
	from, end = start, g.end
	if v.at(from-1) == '(' || v.at(from-1) == '+' {
		from--
	}
	// An extension.
	e := end
	if v.at(e) == '-' || v.at(e) == '转' {
		e++
		n := 0
		for isDigit(v.at(e + n)) {
			n++
		}
		if n >= 1 && n <= 5 {
			end = e + n
		}
	}
	return from, end
}

// bankCard says whether g is a bank card number: right form and check digit, or announced as one.
func (g *group) bankCard(cue cueKind) bool {
	if g.len < 12 || g.len > 21 || g.comma || g.paren {
		return false
	}
	announced := cue == cueBank || cue == cueAccount && g.len >= 15
	if g.n > 1 && !g.uniform(4) && !g.uniform(1) && !(g.n == 2 && g.sizes[0] == 6 && g.len >= 16) && !announced {
		return false
	}
	if announced {
		return g.n == 1 || g.len >= 15
	}
	if g.len < 13 || g.len > 19 || cue == cueOrder || cue == cueOrderNear || cue == cueParcel || cue == cueKeep {
		return false
	}
	if !luhn(g.digits[:g.len]) {
		return false
	}
	if g.len < 15 {
		return g.n >= 4 // 13 and 14 digits only grouped by four
	}
	d := g.digits
	switch {
	case d[0] == '6' && (d[1] == '2' || d[1] == '0' || d[1] == '8' || d[1] == '5'), d[0] == '4', d[0] == '5', d[0] == '9', d[0] == '2' && d[1] >= '2' && d[1] <= '7':
		return g.len >= 16
	case d[0] == '3' && (d[1] == '4' || d[1] == '7'):
		return g.len == 15
	case d[0] == '3' && d[1] == '5':
		return g.len == 16
	}
	return g.n >= 4 && g.uniform(4)
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
