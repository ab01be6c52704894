package mask

// Addresses are found by their parts. Each part has a level; parts that follow each other closely form a region, and a
// region is an address when it says where a door is: a village or street with a district, a numbered road with a
// district, a building with a flat.

type level uint8

const (
	province1 level = iota + 1
	city
	district
	town
	road
	roadNumber
	estate
	building
)

type part struct {
	start, end int
	level      level
}

var (
	provinces = words("北京", "天津", "上海", "重庆", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "江苏", "浙江", "安徽", "福建", "江西", "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "四川", "贵州", "云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆", "香港", "澳门", "台湾")
	// cities may stand without 市.
	cities = words("石家庄", "唐山", "秦皇岛", "邯郸", "邢台", "保定", "张家口", "承德", "沧州", "廊坊", "衡水", "太原", "大同", "阳泉", "长治", "晋城", "朔州", "晋中", "运城", "忻州", "临汾", "吕梁", "呼和浩特", "包头", "赤峰", "通辽", "鄂尔多斯", "沈阳", "大连", "鞍山", "抚顺", "本溪", "丹东", "锦州", "营口", "阜新", "辽阳", "盘锦", "铁岭", "葫芦岛", "长春", "四平", "通化", "松原", "延边", "哈尔滨", "齐齐哈尔", "鸡西", "大庆", "佳木斯", "牡丹江", "绥化", "南京", "无锡", "徐州", "常州", "苏州", "南通", "连云港", "淮安", "盐城", "扬州", "镇江", "泰州", "宿迁", "杭州", "宁波", "温州", "嘉兴", "湖州", "绍兴", "金华", "衢州", "舟山", "台州", "丽水", "合肥", "芜湖", "蚌埠", "淮南", "马鞍山", "淮北", "铜陵", "安庆", "黄山", "滁州", "阜阳", "宿州", "六安", "亳州", "池州", "宣城", "福州", "厦门", "莆田", "三明", "泉州", "漳州", "南平", "龙岩", "宁德", "南昌", "景德镇", "萍乡", "九江", "新余", "鹰潭", "赣州", "吉安", "宜春", "抚州", "上饶", "济南", "青岛", "淄博", "枣庄", "东营", "烟台", "潍坊", "济宁", "泰安", "威海", "日照", "临沂", "德州", "聊城", "滨州", "菏泽", "郑州", "开封", "洛阳", "平顶山", "安阳", "鹤壁", "新乡", "焦作", "濮阳", "许昌", "漯河", "三门峡", "南阳", "商丘", "信阳", "周口", "驻马店", "武汉", "黄石", "十堰", "宜昌", "襄阳", "鄂州", "荆门", "孝感", "荆州", "黄冈", "咸宁", "随州", "恩施", "长沙", "株洲", "湘潭", "衡阳", "邵阳", "岳阳", "常德", "张家界", "益阳", "郴州", "永州", "怀化", "娄底", "湘西", "广州", "韶关", "深圳", "珠海", "汕头", "佛山", "江门", "湛江", "茂名", "肇庆", "惠州", "梅州", "汕尾", "河源", "阳江", "清远", "东莞", "中山", "潮州", "揭阳", "云浮", "南宁", "柳州", "桂林", "梧州", "北海", "防城港", "钦州", "贵港", "玉林", "百色", "贺州", "河池", "来宾", "崇左", "海口", "三亚", "成都", "自贡", "攀枝花", "泸州", "德阳", "绵阳", "广元", "遂宁", "内江", "乐山", "南充", "眉山", "宜宾", "广安", "达州", "雅安", "巴中", "资阳", "贵阳", "六盘水", "遵义", "安顺", "毕节", "铜仁", "昆明", "曲靖", "玉溪", "保山", "昭通", "丽江", "普洱", "临沧", "大理", "拉萨", "西安", "铜川", "宝鸡", "咸阳", "渭南", "延安", "汉中", "榆林", "安康", "商洛", "兰州", "嘉峪关", "金昌", "白银", "天水", "武威", "张掖", "平凉", "酒泉", "庆阳", "定西", "陇南", "西宁", "银川", "石嘴山", "吴忠", "固原", "中卫", "乌鲁木齐", "克拉玛依", "吐鲁番", "哈密", "昌吉", "义乌", "昆山", "江阴", "慈溪", "晋江", "常熟", "张家港")
)

// wordIndex holds words by their first character, longer ones first.
type wordIndex struct {
	first charSet
	words map[rune][][]rune
}

func words(list ...string) *wordIndex {
	index := &wordIndex{words: map[rune][][]rune{}}
	m := index.words
	for _, w := range list {
		r := []rune(w)
		index.first.add(r[0])
		at := 0
		for at < len(m[r[0]]) && len(m[r[0]][at]) >= len(r) {
			at++
		}
		m[r[0]] = append(m[r[0]][:at], append([][]rune{r}, m[r[0]][at:]...)...)
	}
	return index
}

// anyOf gives the length of the longest word of the index that stands at i, 0 where there is none.
func (v *view) anyOf(i int, index *wordIndex) int {
	if !index.first.has(v.at(i)) {
		return 0
	}
	for _, w := range index.words[v.at(i)] {
		if v.match(i, w) {
			return len(w)
		}
	}
	return 0
}

// suffixes end a part; longer ones first.
var suffixes = func() map[rune][]struct {
	text  []rune
	level level
} {
	m := map[rune][]struct {
		text  []rune
		level level
	}{}
	add := func(l level, list ...string) {
		for _, w := range list {
			r := []rune(w)
			last := r[len(r)-1]
			at := 0
			for at < len(m[last]) && len(m[last][at].text) >= len(r) {
				at++
			}
			m[last] = append(m[last][:at], append([]struct {
				text  []rune
				level level
			}{{r, l}}, m[last][at:]...)...)
		}
	}
	add(province1, "省", "自治区")
	add(city, "市", "自治州", "地区", "盟")
	add(district, "区", "县", "旗", "自治县", "新区", "开发区", "高新区")
	add(town, "镇", "乡", "村", "街道", "社区", "屯", "庄", "街道办", "居委会", "村委会", "大队")
	add(road, "路", "街", "大道", "大街", "巷", "弄", "胡同", "中路", "东路", "西路", "南路", "北路", "公路")
	add(estate, "小区", "花园", "公寓", "大厦", "广场", "家园", "新村", "公馆", "华府", "苑", "园", "城", "大学", "学院", "中学", "小学", "幼儿园", "医院", "工业园", "产业园", "宿舍", "驿站", "新城", "名城", "山庄", "府", "湾", "庭", "郡", "坊", "大院", "家属院", "工业区", "商城")
	return m
}()

// placeEnds are the last characters of suffixes.
var placeEnds = func() *charSet {
	ends := new(charSet)
	for r := range suffixes {
		ends.add(r)
	}
	return ends
}()

// notEndings are words that end like a part of an address wherever they stand.
var notEndings = wordSet("超市", "城市", "门市", "上市", "股市", "夜市", "楼市", "评论区", "留言区", "专区", "误区", "分区", "战区", "地区", "市区", "郊区", "山区", "城区", "景区", "片区", "校区", "园区", "该区", "库区",
	"线路", "电路", "思路", "道路", "走路", "马路", "半路", "铁路", "套路", "出路", "迷路", "网路", "问路", "短路", "带路", "绕路", "修路", "回路", "上路", "顺路", "同路", "逛街", "上街",
	"公园", "校园", "乐园", "果园", "商城", "全城", "同城", "长城", "电脑城", "政府", "官府", "学府", "家庭", "法庭", "台湾", "公里", "这里", "那里", "哪里", "家里", "心里", "手里", "店里", "夜里", "车里", "屋里", "群里", "包里", "箱里", "城里", "盒里", "袋里", "机里", "里里", "海里", "家乡", "老乡", "下乡", "全村", "这条路", "一条路")

// notParts are words that are no part of an address when they stand alone.
var notParts = wordSet("小区", "社区", "街道", "本市", "全市", "本区", "各区", "哪个区", "本省", "全省", "各省", "外省", "外市", "省市", "乡镇", "城镇", "农村", "乡村", "县城", "县区", "县市", "城乡", "村庄", "公路", "一路", "大道", "大街", "家园", "花园", "菜园", "庄园", "幼儿园", "广场", "公寓", "大厦", "大学", "学院",
	"医院", "中学", "小学", "驿站", "菜鸟驿站", "宿舍", "工业园", "产业园", "工业区", "开发区", "高新区", "小城", "名城", "新城", "新村", "新区", "京东商城", "高速公路", "省")

func wordSet(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, w := range list {
		m[w] = true
	}
	return m
}

// notFollowing are pairs of an ending and a character that together make another word: 村民, 市场, 路由.
var notFollowing = wordSet("村民", "村落", "村里", "村子", "区域", "区别", "区分", "区间", "市场", "市民", "市面", "市值", "县委", "省钱", "省事", "省心", "省电", "省力", "省得", "省内", "路由", "路线", "路费", "路上", "路程", "路径", "街坊", "街上", "城市", "城里", "里面", "里边", "里的", "庄重", "园林", "弄得", "弄好", "弄错", "弄了", "弄个", "弄坏", "弄清", "乡下", "旗下", "旗舰", "道理", "道具", "道歉", "苑里", "湾里", "庭院", "郡主", "盟友", "府上", "坊间")

// breaks are characters that no part of an address holds.
var breaks = runeSet("的了吗呢吧是在我你您他她它们这那哪个把给和与或到从往去来寄送发收改换要请说有没不很就都也还被让为什么怎么多少买卖用住叫想能可以会已经上下")

// hardBreaks are characters that no address holds even after its beginning is sure.
var hardBreaks = runeSet("的了吗呢吧是我你您他她它这那哪把给请说没不很就都也还被让么怎改换")

// longer are endings that go on where a short one stands before: 三里村, 城园路.
var longer = runeSet("村镇乡路街巷区县屯庄")

// maxPartRunes bounds the name of a place before its suffix.
const maxPartRunes = 7

// findAddresses finds addresses and claims them.
func (v *view) findAddresses() {
	var parts []part
	flush := func() {
		if from, end, ok := v.addressOf(parts); ok {
			v.claim(from, end, address)
		}
		parts = parts[:0]
	}
	last := 0 // behind the last part
	for i := 0; i < len(v.r); {
		if len(parts) > 0 && v.gapEnds(parts, last, i) {
			flush()
		}
		p, ok := v.partAt(i, last, len(parts) > 0)
		if !ok {
			i++
			continue
		}
		if len(parts) > 0 && p.level == province1 && parts[len(parts)-1].level > p.level {
			flush() // a province begins another address
		}
		parts = append(parts, p)
		i, last = p.end, p.end
	}
	flush()
}

// maxGap bounds what may stand between two parts: the name of a building, a comma.
const maxGap = 10

// gapEnds says whether the address that ends at last cannot go on at i.
func (v *view) gapEnds(parts []part, last, i int) bool {
	if i == last {
		return false
	}
	if i-last > maxGap {
		return true
	}
	r := v.r[i-1]
	switch {
	case isHan(r):
		return hardBreaks.has(r)
	case isAlnum(r), r == ' ', r == '-', r == '#', r == '·', r == '(', r == ')', r == '.', r == '/':
		return false
	case r == ',', r == '、':
		return i-last > 1
	}
	return true
}

// streetWords behind the name of a province or city make it the name of a street or a house: 南京路, 北京西路.
var streetWords = words("路", "街", "巷", "道", "大道", "大街", "东路", "西路", "南路", "北路", "中路", "一路", "二路", "三路", "东街", "西街", "南街", "北街", "小区", "大厦", "广场", "花园", "公寓", "新村")

// partAt recognises a part that begins at i, or whose suffix ends there; last is where the part before ended.
func (v *view) partAt(i, last int, sure bool) (part, bool) {
	r := v.r[i]
	if n := v.anyOf(i, provinces); n > 0 && v.anyOf(i+n, streetWords) == 0 {
		return part{i, v.withSuffix(i+n, "省市"), province1}, true
	}
	if n := v.anyOf(i, cities); n > 0 && v.anyOf(i+n, streetWords) == 0 {
		return part{i, v.withSuffix(i+n, "市"), city}, true
	}
	if p, ok := v.unitAt(i); ok {
		return p, true
	}
	if !placeEnds.has(r) {
		return part{}, false
	}
	for _, s := range suffixes[r] {
		from := i - len(s.text) + 1
		if from < last || !v.match(from, s.text) {
			continue
		}
		start := v.stem(from, last, sure)
		n := from - start
		if n < 1 || s.level == estate && n < 2 || s.level >= city && n < 1 {
			return part{}, false
		}
		if n == 1 && (s.level == city || s.level == road || s.level == estate) && len(s.text) == 1 {
			return part{}, false
		}
		end := i + 1
		for w := 2; w <= 3; w++ {
			if end-w >= start && notEndings[v.digits(end-w, end)] {
				return part{}, false
			}
		}
		if notParts[v.digits(start, end)] || notFollowing[v.digits(i, min(len(v.r), i+2))] {
			return part{}, false
		}
		l := s.level
		if l == estate && len(s.text) == 1 && longer.has(v.at(end)) {
			return part{}, false // 三里村 is a village
		}
		if r == '街' && v.at(end) == '道' { // a subdistrict, not a street
			l = town
			end++
		}
		if l == road {
			if e := v.houseNumber(end); e > 0 {
				return part{start, e, roadNumber}, true
			}
		}
		return part{start, end, l}, true
	}
	return part{}, false
}

func (v *view) withSuffix(i int, suffix string) int {
	for _, r := range suffix {
		if v.at(i) == r {
			return i + 1
		}
	}
	return i
}

// stem gives where the name before a suffix at i begins, not before last; sure says that parts stand before it.
func (v *view) stem(i, last int, sure bool) int {
	stop := breaks
	if sure {
		stop = hardBreaks
	}
	start := i
	for start > last && i-start < maxPartRunes && (isHan(v.r[start-1]) && !stop.has(v.r[start-1]) || isDigit(v.r[start-1]) && i-start < 3) {
		start--
	}
	return start
}

// houseNumber gives the end of a house number at i, such as 88号, 12-3号, 1288弄, 0 where there is none.
func (v *view) houseNumber(i int) int {
	if v.at(i) == ' ' {
		i++
	}
	n := 0
	for n < 8 && (isDigit(v.at(i+n)) || isChineseNumber(v.at(i+n)) || n > 0 && (v.at(i+n) == '-' || v.at(i+n) == '附')) {
		n++
	}
	if n == 0 {
		return 0
	}
	switch v.at(i + n) {
	case '号', '弄', '院', '巷':
		end := i + n + 1
		switch v.at(end) {
		case '院', '楼', '附':
			end++
		}
		return end
	}
	return 0
}

var chineseNumbers = runeSet(spokenDigits + "十百")

func isChineseNumber(r rune) bool { return chineseNumbers.has(r) }

var units = words("栋", "幢", "号楼", "单元", "室", "座", "号院", "号门", "门牌")

// unitAt recognises a numbered building, entrance or flat at i: 9栋, 二单元, A座, 703室.
func (v *view) unitAt(i int) (part, bool) {
	if r := v.at(i - 1); isDigit(r) || isLetter(r) || isChineseNumber(r) {
		return part{}, false
	}
	n := 0
	for n < 6 && (isAlnum(v.at(i+n)) || isChineseNumber(v.at(i+n)) || n > 0 && (v.at(i+n) == '-' || v.at(i+n) == '#')) {
		n++
	}
	if n == 0 {
		return part{}, false
	}
	u := v.anyOf(i+n, units)
	if u == 0 {
		return part{}, false
	}
	if v.at(i+n) == '座' && (v.at(i+n+1) == '位' || v.at(i+n+1) == '椅' || isDigit(v.at(i)) && n == 1) || v.at(i+n) == '室' && v.at(i+n+1) == '内' {
		return part{}, false
	}
	if n == 1 && v.at(i) == '一' && u == 1 && !isDigit(v.at(i+2)) && !isChineseNumber(v.at(i+2)) {
		return part{}, false // 一栋大楼
	}
	return part{i, i + n + u, building}, true
}

// addressOf says whether parts form an address, and which characters it covers.
func (v *view) addressOf(parts []part) (from, end int, ok bool) {
	if len(parts) == 0 {
		return 0, 0, false
	}
	// An address does not end with a province or a city.
	for len(parts) > 1 && parts[len(parts)-1].level <= city {
		parts = parts[:len(parts)-1]
	}
	var has [building + 1]int
	for i, p := range parts {
		if p.level == building && has[building] > 0 && !v.flatOf(parts[i-1], p) {
			continue // 1号楼和2号楼: two buildings say no more than one
		}
		has[p.level]++
	}
	area := min(1, has[province1]) + min(1, has[city]) + min(1, has[district])
	detail := 2*has[roadNumber] + min(2, has[town]) + has[road] + min(1, has[estate]) + 2*has[building]
	score := area + detail
	start := parts[0].start
	cued := v.addressCue(start)
	if cued {
		score++
	}
	end = v.addressTail(parts[len(parts)-1])
	switch {
	case score < 3, detail == 0, detail == 1 && area < 2:
		return 0, 0, false
	case has[roadNumber]+has[building]+has[town] > 0:
		// Without a district a number is not enough: 2号楼, 88号.
		if area == 0 && detail < 3 && !(cued && has[roadNumber] > 0) {
			return 0, 0, false
		}
	default: // streets and estates without a number
		if area < 2 && !(cued && detail >= 2 && (area == 1 || v.announced(start))) {
			return 0, 0, false
		}
	}
	return start, end, true
}

// flatOf says whether b is a part of the building a: 9栋 and 二单元, but not 1号楼 and 2号楼.
func (v *view) flatOf(a, b part) bool {
	return a.level == building && b.start-a.end <= 1 && v.at(a.end-1) != v.at(b.end-1)
}

var addressCues = words("地址", "住址", "寄到", "送到", "发到", "改到", "改成", "改为", "寄往", "家住", "所在地区", "收货地", "门牌")

// announced says whether a colon stands before i: 地址：...
func (v *view) announced(i int) bool {
	for v.at(i-1) == ' ' {
		i--
	}
	return v.at(i-1) == ':'
}

// addressCue says whether a cue for an address ends shortly before i.
func (v *view) addressCue(i int) bool {
	for j := max(0, i-8); j < i; j++ {
		if v.anyOf(j, addressCues) > 0 {
			return true
		}
	}
	return false
}

// places end the name of a building that follows the last part.
var places = words("大厦", "广场", "小区", "公寓", "花园", "公司", "学校", "大学", "学院", "中学", "小学", "幼儿园", "医院", "超市", "酒店", "宾馆", "商店", "驿站", "工业园", "厂", "局", "银行", "交叉口", "路口", "对面", "旁边", "附近", "楼上", "楼下", "门口", "号", "店", "室", "楼", "层", "户", "期", "苑", "园", "城", "府", "村", "组", "队", "社", "办", "站", "馆", "院", "厅", "中心", "家属院", "旁", "所")

// addressTail gives the end of an address whose last recognised part is p: what belongs to a flat number, and the name of
// a building that follows directly.
func (v *view) addressTail(p part) int {
	end := p.end
	for {
		next := v.tailStep(end, p.level)
		if next == end {
			return end
		}
		end = next
	}
}

func (v *view) tailStep(end int, p level) int {
	// Numbers of flats and floors, joined directly or after a blank.
	at := end
	for v.at(at) == ' ' && at-end < 2 {
		at++
	}
	n := 0
	for n < 8 && (isAlnum(v.at(at+n)) || isChineseNumber(v.at(at+n)) || n > 0 && (v.at(at+n) == '-' || v.at(at+n) == '#')) {
		n++
	}
	if n > 0 && n < 8 {
		k := at + n
		if u := v.anyOf(k, units); u > 0 {
			return k + u
		}
		switch v.at(k) {
		case '号', '楼', '层', '户', '期', '组', '队', '房', '门', '社':
			return k + 1
		}
		if n >= 3 && n <= 6 && at == end && isAlnum(v.at(at)) && isDigit(v.at(k-1)) && !v.atDecimalOrUnit(k) {
			return k
		}
	}
	// The name of a building: up to a word for one, or all up to a border.
	best := end
	for n := 1; n <= 12; n++ {
		k := end + n
		r := v.at(k - 1)
		if !isHan(r) && !isAlnum(r) || hardBreaks.has(r) {
			if n > 2 && n <= 9 && v.border(k-1) && (p == roadNumber || p == building) && !functional.has(v.at(end)) {
				return k - 1
			}
			break
		}
		for w := 3; w >= 1; w-- {
			if k-w < end || w == 1 && n <= 2 {
				continue
			}
			if l := v.anyOf(k-w, places); l == w && v.endsPlace(k) {
				best = k
			}
		}
	}
	return best
}

// endsPlace says whether the name of a building may end at i: nothing goes on that would make it a longer word.
func (v *view) endsPlace(i int) bool {
	return !isHan(v.at(i)) || breaks.has(v.at(i)) || v.anyOf(i, places) > 0 || isChineseNumber(v.at(i)) || surnames.has(v.at(i))
}
