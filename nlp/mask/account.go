package mask

import "strings"

// findAccounts finds e-mail addresses, number plates, and WeChat and QQ accounts that a cue announces.
func (m *Masker) findAccounts(v *view) {
	for i := 0; i < len(v.r); i++ {
		switch r := v.r[i]; {
		case r == '@':
			if from, end := v.email(i); end > 0 {
				v.claim(from, end, email)
			}
		case plateProvinces.has(r) && isLetter(v.at(i+1)):
			if end := v.plate(i); end > 0 {
				v.claim(i, end, plate)
			}
		}
	}
	for i := 1; i <= len(v.r); i++ {
		r := v.r[i-1]
		if !accountEnds.has(r) {
			continue
		}
		for _, c := range cuesByLast[r] {
			if c.kind != cueWechat && c.kind != cueQQ || !v.match(i-len(c.text), c.text) || isLetter(c.text[0]) && isAlnum(v.at(i-len(c.text)-1)) {
				continue
			}
			if from, end := v.account(i, c); end > 0 {
				k := wechat
				if c.kind == cueQQ {
					k = qq
				}
				v.claim(from, end, k)
			}
			break
		}
	}
}

// accountEnds are the last characters of the cues for accounts.
var accountEnds = func() *charSet {
	ends := new(charSet)
	for r, cues := range cuesByLast {
		for _, c := range cues {
			if c.kind == cueWechat || c.kind == cueQQ {
				ends.add(r)
			}
		}
	}
	return ends
}()

// account gives the account announced by a cue that ends at i. Weak cues (微信 in 微信支付) need a digit, an underscore
// or a hyphen in the account; a colon, or a cue that only ever announces an account, does not.
func (v *view) account(i int, c cue) (from, end int) {
	strong := len(c.text) > 0 && (c.kind == cueWechat && strongWechat[string(c.text)])
	at := i
	for n := 0; n < 7; n++ {
		r := v.at(at)
		switch {
		case r == ':' || r == '=':
			strong = true
		case r == ' ' || r == '号' || r == '是' || r == '为' || r == '码' || r == '我' || r == '的' || r == ',' || r == '账' || r == '群' || r == '叫' || r == '就' || r == '(' || r == '-' || r == '"' || r == '“' || r == '加' || r == '吧' || r == '。':
		default:
			n = 7
			continue
		}
		at++
	}
	end = at
	letters, digits, marks := 0, 0, 0
	for end < len(v.r) && end-at <= 24 {
		r := v.r[end]
		switch {
		case isLetter(r):
			letters++
		case isDigit(r):
			digits++
		case (r == '_' || r == '-') && end > at && (isAlnum(v.at(end+1)) || v.at(end+1) == '_' || v.at(end+1) == '-'):
			marks++
		default:
			goto done
		}
		end++
	}
done:
	n := end - at
	if v.at(end) == '@' {
		return 0, 0
	}
	if c.kind == cueQQ {
		if letters > 0 || digits < 5 || digits > 12 || marks > 0 || v.r[at] == '0' {
			return 0, 0
		}
		if d := v.digits(at, end); len(d) >= 9 && (strings.HasPrefix(d, "800") || strings.HasPrefix(d, "400")) || d == "10000" {
			return 0, 0 // business accounts
		}
		return at, end
	}
	switch {
	case n < 5 || n > 24:
		return 0, 0
	case letters == 0 && (digits < 5 || digits > 12):
		return 0, 0
	case letters == 0 && !(digits == 11 && v.r[at] == '1') && !strong && at == i:
		return 0, 0 // 微信10000: too weak
	case letters > 0 && digits+marks == 0 && (!strong || n < 6 || publicWords[v.digits(at, end)]):
		return 0, 0
	case letters > 0 && n < 6 && !strong:
		return 0, 0
	}
	if letters == 0 {
		if d := v.digits(at, end); strings.HasPrefix(d, "400") || strings.HasPrefix(d, "800") || len(d) <= 5 && d[0] == '1' {
			return 0, 0
		}
	}
	return at, end
}

// digits gives the characters i up to j as text.
func (v *view) digits(i, j int) string { return string(v.r[i:j]) }

var strongWechat = map[string]bool{"微信号": true, "v信": true, "威信": true, "薇信": true, "维信": true, "vx": true, "wx": true, "加v": true, "加微": true, "加我v": true, "wechat": true, "weixin": true}

// publicWords are words that follow WeChat without being an account.
var publicWords = map[string]bool{"public": true, "official": true, "support": true, "service": true, "android": true, "iphone": true, "windows": true, "payment": true}

// mailHosts may be written without .com and with any kind of point.
var mailHosts = map[string]bool{"qq": true, "163": true, "126": true, "139": true, "189": true, "gmail": true, "sina": true, "foxmail": true, "outlook": true, "hotmail": true, "yeah": true, "sohu": true, "aliyun": true, "icloud": true, "live": true, "vip": true, "yahoo": true}

// email gives the e-mail address around the @ at i.
func (v *view) email(i int) (from, end int) {
	from = i
	for from > 0 && i-from < 64 {
		r := v.r[from-1]
		if !isAlnum(r) && r != '.' && r != '_' && r != '-' && r != '+' {
			break
		}
		from--
	}
	for from < i && !isAlnum(v.r[from]) {
		from++
	}
	if from == i {
		return 0, 0
	}
	end = i + 1
	if v.at(end) == ' ' {
		end++
	}
	labels, start := 0, end
	first := ""
	for labels < 8 {
		at := end
		for at-end < 64 && (isAlnum(v.at(at)) || v.at(at) == '-') {
			at++
		}
		if at == end {
			break
		}
		if labels == 0 {
			first = v.digits(start, at)
		}
		labels++
		end = at
		if r := v.at(at); r == '.' || (r == '。' || r == '、' || r == ',' || r == '点' || r == '·') && mailHosts[first] {
			if isAlnum(v.at(at + 1)) {
				end = at + 1
				continue
			}
		}
		break
	}
	if labels >= 2 || labels == 1 && mailHosts[first] {
		return from, end
	}
	return 0, 0
}

var plateProvinces = runeSet("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领")

// plate gives the end of a number plate at i: province, letter, five or six letters and digits, at least two digits.
func (v *view) plate(i int) int {
	if l := v.at(i + 1); l == 'i' || l == 'o' && v.r[i] != '京' {
		return 0
	}
	at := i + 2
	for n := 0; n < 2 && (v.at(at) == '·' || v.at(at) == '.' || v.at(at) == '-' || v.at(at) == ' ' || v.at(at) == '•'); n++ {
		at++
	}
	n, digits := 0, 0
	for n < 6 && isAlnum(v.at(at+n)) && v.at(at+n) != 'o' && v.at(at+n) != 'i' {
		if isDigit(v.at(at + n)) {
			digits++
		}
		n++
	}
	end := at + n
	if n == 4 && digits >= 2 {
		switch v.at(end) {
		case '挂', '学', '警', '港', '澳':
			return end + 1
		}
	}
	if n < 5 || digits < 2 || isAlnum(v.at(end)) {
		return 0
	}
	return end
}

// parcelPrefixes are the letters that parcel numbers of the big carriers start with.
var parcelPrefixes = map[string]bool{"sf": true, "yt": true, "zto": true, "zt": true, "sto": true, "st": true, "yd": true, "yunda": true, "jt": true, "jd": true, "jdv": true, "jdvb": true, "jdk": true, "jdx": true, "jda": true, "jdve": true, "jdva": true, "jdvc": true, "jdvg": true, "dpk": true, "db": true, "ht": true, "best": true, "bs": true, "ems": true, "tt": true, "zjs": true, "fw": true, "lp": true, "cn": true, "an": true, "ky": true, "ane": true, "jtsd": true, "uc": true, "sxjd": true, "cp": true, "dn": true, "se": true, "qf": true}

// maxCode bounds a number with letters.
const maxCode = 40

// code looks for numbers with letters around the digits of n: parcel numbers of the carriers, and order and parcel
// numbers that a cue announces. It claims what it finds.
func (m *Masker) code(v *view, n run, cue cueKind) bool {
	from, end := n.start, n.end
	for from > 0 && n.start-from <= maxCode && isAlnum(v.r[from-1]) {
		from--
	}
	for end-n.start <= maxCode && (isAlnum(v.at(end)) || (v.at(end) == '-' || v.at(end) == '_') && isAlnum(v.at(end+1)) && isAlnum(v.at(end-1))) {
		end++
	}
	if from == n.start && end == n.end {
		return false
	}
	if end-from > maxCode {
		return false
	}
	prefix := v.digits(from, n.start)
	digits := 0
	for _, r := range v.r[from:end] {
		if isDigit(r) {
			digits++
		}
	}
	if from < n.start {
		cue, _ = v.cueBefore(from)
	}
	if cue == cueKeep {
		return false
	}
	tail := v.digits(n.end, end)
	plainTail := tail == "" || strings.HasPrefix(tail, "-")
	switch {
	case parcelPrefixes[prefix] && n.len() >= 9 && n.len() <= 16 && plainTail,
		len(prefix) == 2 && n.len() == 9 && len(tail) == 2 && isLetter(rune(tail[0])) && isLetter(rune(tail[1])):
		v.claim(from, end, parcel)
		return true
	}
	if strings.ContainsAny(tail, "-_") && prefix == "" {
		return false // groups of digits: left to the number forms
	}
	switch {
	case cue == cueOrder && digits >= 6 && end-from >= 8:
		v.claim(from, end, order)
	case (cue == cueParcel || cue == cueParcelNear && prefix != "") && digits >= 8:
		v.claim(from, end, parcel)
	case cue == cueID && digits >= 7 && end-from <= 12 && len(prefix) <= 2 && prefix != "":
		v.claim(from, end, idCard) // passports and permits
	default:
		return false
	}
	return true
}
