package mask

// surnames are the single-character surnames of nearly all people; doubtful are those that are everyday words too and
// need a clear border before them.
var (
	surnames = runeSet("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜肖詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保蔺闫代")
	doubtful = runeSet("于方安常时和高白黄金万文向易温成单全都和严明包司来车房边左位路位关连计商党木保官应台原宗解强华花乐练冷井管项谈盖简符都阳全游席查池米古边代雷盛银马石江路位申毛龙牛钱田江余年祝汤肖")
	compound = [][]rune{[]rune("欧阳"), []rune("司马"), []rune("上官"), []rune("诸葛"), []rune("皇甫"), []rune("尉迟"), []rune("司徒"), []rune("令狐"), []rune("慕容"), []rune("东方"), []rune("夏侯"), []rune("公孙"), []rune("端木"), []rune("轩辕"), []rune("南宫"), []rune("长孙"), []rune("宇文"), []rune("独孤"), []rune("呼延"), []rune("申屠")}
)

// functional are characters that end a name.
var functional = runeSet("的了吗呢吧是不没这那怎什么哪都要您你我他她它们请问给让被把号址啊哦哈嗯呀谁收填错叫")

// notGiven are characters that no run of unknown characters may hold to be taken for a name.
var notGiven = runeSet("有个在和与及或还就也很太对好向从到去来说能会可再先寄送退换买卖电话机地住微信身证单位件货已将无否改本人一")

// behindName are words that end a name they follow directly.
var behindName = func() map[[2]rune]bool {
	m := map[[2]rune]bool{}
	for _, w := range []string{"电话", "手机", "联系", "地址", "身份", "证件", "微信", "先生", "女士", "小姐", "太太", "单位", "单号", "号码", "货物", "发货", "已经", "退款", "在家", "可以", "谢谢", "麻烦", "今年", "住在", "机主", "有一", "今天", "昨天", "明天", "然后", "就可", "就行", "帮忙", "信息", "写的", "和电", "和手", "和地", "和联", "支付", "账号", "订单", "快递", "师傅", "同学", "老师", "经理", "一下", "还有", "而且", "想咨", "想查"} {
		r := []rune(w)
		m[[2]rune{r[0], r[1]}] = true
	}
	return m
}()

// notNames are words that begin like a name.
var notNames = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range []string{
		"谢谢", "安排", "金额", "高清", "方便", "万一", "向上", "时间", "时候", "明天", "明白", "明细", "于是", "包邮", "包括", "包装", "包裹", "包里", "施工", "常用", "平时", "毛病", "白色", "黄色", "黑色", "金色",
		"单号", "应该", "成功", "车牌", "车间", "车子", "钱包", "钱数", "顾客", "路口", "左右", "江苏", "江西", "安徽", "宁波", "宁夏", "云南", "温州", "苏州", "郑州", "金华", "常州", "徐州", "唐山", "邢台", "卫生", "马上", "马路", "易购",
		"解决", "管理", "商品", "商家", "商城", "文字", "文件", "党员", "申请", "申通", "祝您", "计划", "计算", "项目", "关于", "关闭", "关系", "关注", "符合", "代收", "经常", "查询", "查看", "查收", "查下", "舒服", "全部", "全款", "全是", "曾经",
		"余额", "余款", "高兴", "陆续", "房子", "房间", "花呗", "花费", "万达", "连接", "段时", "来电", "来自", "都是", "都有", "华为", "石家庄", "洪山", "江门", "盛世", "金地", "金科", "万科", "华润", "白云", "江北", "江南", "江宁", "海珠", "和平", "和谐",
		"成都", "成品", "司机", "安全", "安装", "安卓", "康佳", "蓝色", "白天", "温馨", "高新", "柳州", "梅州", "龙华", "龙岗", "阳光", "席位", "钟楼", "路由", "原因", "官方", "官网", "保修", "保证", "保价", "保险", "应急", "台式", "解释", "解绑", "强烈", "练习",
		"胡子", "胡椒", "胡萝", "单独", "单身", "小区", "小时", "小米", "小号", "小姐", "小哥", "小店", "小妹", "小二", "小件", "小票", "小程", "小心", "小额", "小样", "小贵", "小伙", "单位", "位置", "程序", "毕竟", "段落", "龙头", "牛奶", "方法", "方式", "方案", "常州", "康复", "季度", "文明", "计费", "谈话", "梁山", "武汉", "武昌", "石头", "华东", "华南", "华北", "连云", "燕郊", "莫名", "祝福", "游戏", "古城", "古镇", "沙发", "沙市",
		"任何", "任意", "任务", "何时", "何必", "向阳", "贺卡", "范围", "左边", "左手", "项链", "安静", "简单", "简直", "简介", "盛大", "冷冻", "冷藏", "池子", "米饭", "时长", "常见", "易拉", "温度", "温水", "白酒", "白糖", "黄金", "黄山", "黄瓜", "马云", "乐意", "全新", "全国", "全额", "和好", "肖像",
		"田园", "林业", "高中", "高铁", "高价", "高度", "方形", "方向", "雷人", "汤匙", "毛衣", "毛巾", "钱款", "江湖", "边上", "边框", "司法", "管家", "管子", "左侧", "金属", "路程", "路线", "叶子", "夏天", "夏季", "秋天", "宋体", "唐装", "韩国", "韩版", "汤臣", "安慕", "康师", "陶瓷", "米粉", "牛肉", "牛仔",
		"史上", "程度", "丁香", "钟点", "鲁能", "章程", "季节", "纪念", "费用", "童装", "童鞋", "项圈", "宫廷", "商务", "商场", "商店", "都市", "井盖", "封面", "封口", "原价", "原来", "原装", "原封", "衣服", "衣柜", "银行", "银色", "明显", "明星", "沙拉", "保养", "保存", "保质", "和田", "代理", "代购", "代发", "代替",
		"成人", "成分", "查找", "顾问", "江边", "向前", "许多", "许可", "尤其", "尤为", "凌晨", "盛夏", "游客", "阳台", "阳历", "席子", "屈臣", "甘肃", "景区", "景色", "薄膜", "薄荷", "柏油", "桂林", "桂花", "强度", "强制", "强行", "柴油", "华丽", "车上", "车位", "车库", "车票", "边缘", "吉林", "吉利", "古代", "池州", "晋城", "晋中",
		"文具", "颜色", "颜值", "戴森", "万元", "余下", "余生", "季末", "邵阳", "葛根", "常温", "贾汪", "汪汪", "石油", "龙虾", "文章", "洪水", "陆地", "包子", "查无", "尹家", "谷雨", "谷歌", "卢布", "关机", "成交", "司令", "方块", "祝好", "周一", "周二", "周三", "周四", "周五", "周六", "周日", "周末", "周边", "周年", "周围", "高速", "林地",
	} {
		m[w] = true
	}
	return m
}()

// nameCues announce a name. Those that are strong do so even without a colon or a verb between.
var nameCues = []struct {
	text   []rune
	strong bool
}{
	{[]rune("我叫"), true}, {[]rune("名字叫"), true}, {[]rune("名字是"), true}, {[]rune("姓名"), false}, {[]rune("收件人"), false}, {[]rune("收货人"), false},
	{[]rune("联系人"), false}, {[]rune("寄件人"), false}, {[]rune("发件人"), false}, {[]rune("机主"), false}, {[]rune("户主"), false}, {[]rune("户名"), false},
	{[]rune("开户名"), false}, {[]rune("持卡人"), false}, {[]rune("签收人"), false}, {[]rune("取件人"), false}, {[]rune("收款人"), false}, {[]rune("收件"), false}, {[]rune("名字"), false},
}

// nameCueEnds are the last characters of nameCues.
var nameCueEnds = runeSet("叫是名人主件字")

// findNames finds names after a cue, before a title, and beside a telephone number.
func (v *view) findNames() {
	for i := 1; i <= len(v.r); i++ {
		r := v.r[i-1]
		if nameCueEnds.has(r) {
			if from, end := v.nameAfterCue(i); end > 0 {
				v.claim(from, end, name)
				continue
			}
		}
		switch {
		case r == '先' && v.at(i) == '生', r == '女' && v.at(i) == '士', r == '小' && v.at(i) == '姐' && v.at(i+1) != '姐', r == '太' && v.at(i) == '太':
			if from := v.nameBeforeTitle(i - 1); from >= 0 {
				v.claim(from, i-1, name)
			}
		case r == '收' && v.border(i):
			if from := v.nameEndingAt(i - 1); from >= 0 && !doubtful.has(v.r[from]) {
				v.claim(from, i-1, name)
			}
		case r == mark(address) && v.at(i) != mark(address):
			from := i
			for from-i < 2 && (v.at(from) == ' ' || v.at(from) == ',' || v.at(from) == '。') {
				from++
			}
			if n := v.nameStartingAt(from); n > 0 && from > i && v.border(from+n) && !doubtful.has(v.r[from]) {
				v.claim(from, from+n, name)
			}
		case r == '姓' && surnames.has(v.at(i)) && (v.at(i-2) == '我' || v.at(i-2) == '贵') && !isHan(v.at(i+1)):
			v.claim(i, i+1, name)
		case r == mark(phone):
			// Once a run: only at its borders.
			if v.at(i-2) != mark(phone) {
				if from, end := v.nameBeforePhone(i - 1); end > 0 {
					v.claim(from, end, name)
				}
			}
			if v.at(i) != mark(phone) {
				if from, end := v.nameAfterPhone(i); end > 0 {
					v.claim(from, end, name)
				}
			}
		}
	}
}

// nameAfterCue gives the name behind a cue that ends at i.
func (v *view) nameAfterCue(i int) (from, end int) {
	strong, anything, found := false, false, false
	for _, c := range nameCues {
		if v.match(i-len(c.text), c.text) {
			// Things have a 名字 too, accounts a 用户名.
			strong, anything, found = c.strong, !c.strong && c.text[0] != '名', true
			if c.text[0] == '户' && v.at(i-len(c.text)-1) == '用' {
				return 0, 0
			}
			break
		}
	}
	if !found {
		return 0, 0
	}
	at := i
	explicit, verb := false, false
	for n := 0; n < 6; n++ {
		switch v.at(at) {
		case ':', '=':
			explicit = true
		case '是', '为', '叫', '成':
			verb = true
		case '改', ' ', '就', '"', '“', '-':
		default:
			n = 6
			continue
		}
		at++
	}
	from = at
	if isLetter(v.at(at)) && explicit {
		for n := 0; n < 24 && (isLetter(v.at(at)) || v.at(at) == ' ' && isLetter(v.at(at+1)) || v.at(at) == '.'); n++ {
			at++
		}
		if at-from >= 2 {
			return from, at
		}
		return 0, 0
	}
	n := v.nameStartingAt(from)
	if n == 0 && surnames.has(v.at(from)) && v.border(from+1) && !doubtful.has(v.at(from)) {
		return from, from + 1 // 姓名刘
	}
	if n == 0 && isHan(v.at(from)) && (v.at(from) == '小' || v.at(from) == '阿') && isHan(v.at(from+1)) && !functional.has(v.at(from+1)) && v.border(from+2) && strong {
		n = 2
	}
	if n > 0 {
		// Beyond a name of the usual length there has to be a border, unless the cue is sure.
		if strong || explicit || verb || v.border(from+n) || behindName[[2]rune{v.at(from + n), v.at(from + n + 1)}] {
			return from, from + n
		}
		return 0, 0
	}
	if !explicit && !(verb && anything) {
		return 0, 0
	}
	// Any other short run between the cue and a border.
	n = 0
	for isHan(v.at(from+n)) || n > 0 && v.at(from+n) == '·' {
		if functional.has(v.at(from+n)) || notGiven.has(v.at(from+n)) {
			return 0, 0
		}
		n++
		if n > 15 {
			return 0, 0
		}
	}
	dotted := false
	for _, r := range v.r[from : from+n] {
		dotted = dotted || r == '·'
	}
	if n < 2 || n > 4 && !dotted || notNames[v.digits(from, from+2)] || !v.border(from+n) {
		return 0, 0
	}
	return from, from + n
}

// nameStartingAt gives the length of a name with a known surname at i, 0 where there is none.
func (v *view) nameStartingAt(i int) int {
	n := 0
	for _, c := range compound {
		if v.match(i, c) {
			n = 2
		}
	}
	if n == 0 {
		if !surnames.has(v.at(i)) {
			return 0
		}
		n = 1
	}
	if notNames[string([]rune{v.at(i), v.at(i + 1)})] || isHan(v.at(i+2)) && notNames[string([]rune{v.at(i), v.at(i + 1), v.at(i + 2)})] {
		return 0
	}
	given := 0
	for given < 2 && isHan(v.at(i+n)) && !functional.has(v.at(i+n)) && !behindName[[2]rune{v.at(i + n), v.at(i + n + 1)}] {
		n++
		given++
	}
	if given == 0 {
		return 0
	}
	return n
}

// nameEndingAt gives where a name with a known surname, or one like 小雅, begins that ends before i, between borders; -1 where there is
// none.
func (v *view) nameEndingAt(i int) int {
	for n := 4; n >= 2; n-- {
		from := i - n
		if from < 0 {
			continue
		}
		if b := v.at(from - 1); !v.border(from-1) && b != '号' && b != '室' && (!beforeTitle.has(b) || doubtful.has(v.at(from))) {
			continue
		}
		if v.nameStartingAt(from) == n || n == 2 && (v.at(from) == '小' || v.at(from) == '阿') && isHan(v.at(from+1)) && !functional.has(v.at(from+1)) && !notNames[v.digits(from, i)] {
			return from
		}
	}
	return -1
}

// border says whether the character at i is none that could belong to a name.
func (v *view) border(i int) bool {
	r := v.at(i)
	return !isHan(r) && !isLetter(r) && r != '·'
}

// nameBeforePhone gives the name that ends before the telephone number at i.
func (v *view) nameBeforePhone(i int) (from, end int) {
	end = i
	for n := 0; n < 3 && (v.at(end-1) == ' ' || v.at(end-1) == ',' || v.at(end-1) == '、' || v.at(end-1) == ':' || v.at(end-1) == '-' || v.at(end-1) == '。' || v.at(end-1) == '\n'); n++ {
		end--
	}
	if v.at(end-1) == '收' {
		end--
	}
	for _, w := range phoneWords {
		if v.match(end-len(w), w) {
			end -= len(w)
			break
		}
	}
	if from = v.nameEndingAt(end); from >= 0 {
		return from, end
	}
	return 0, 0
}

// phoneWords may stand between a name and its telephone number.
var phoneWords = [][]rune{[]rune("联系电话"), []rune("手机号码"), []rune("手机号"), []rune("电话号码"), []rune("电话"), []rune("手机")}

// nameAfterPhone gives the name that starts behind the telephone number before i.
func (v *view) nameAfterPhone(i int) (from, end int) {
	from = i
	for n := 0; n < 2 && (v.at(from) == ' ' || v.at(from) == ',' || v.at(from) == '、'); n++ {
		from++
	}
	n := v.nameStartingAt(from)
	if n == 0 || !v.border(from+n) && !(v.at(from+n) == '收') || n == 2 && doubtful.has(v.at(from)) && v.at(from+n) != '\n' {
		return 0, 0
	}
	return from, from + n
}

// beforeTitle are characters after which a surname before a title or a number is sure.
var beforeTitle = runeSet("是叫找的给和收位请让为人亲好了吧啊呢到跟与由因谢姓帮替对说问哦嗯联系知敬")

// notBeforeTitle are words that end like a surname: 对于女士, 官方女士.
var notBeforeTitle = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range []string{"对于", "关于", "属于", "由于", "至于", "对方", "我方", "官方", "双方", "地方", "平时", "有时", "当时", "及时", "适合", "大方", "专门", "所有", "比较", "优先", "柔和", "东方", "南方", "北方", "西方", "警方", "卖方", "买方", "各位", "几位", "两位", "一位", "多位", "这位", "那位"} {
		m[w] = true
	}
	return m
}()

// nameBeforeTitle gives where the name before a title at i begins, -1 where there is none.
func (v *view) nameBeforeTitle(i int) int {
	// Full names: surname and one or two further characters, or a compound surname.
	for n := 4; n >= 2; n-- {
		from := i - n
		if from < 0 {
			continue
		}
		isCompound := false
		for _, c := range compound {
			isCompound = isCompound || v.match(from, c)
		}
		if n == 4 && !isCompound || n == 2 && isCompound {
			if n == 2 {
				return from
			}
			continue
		}
		if v.nameStartingAt(from) >= n-boolInt(n == 4) && (v.border(from-1) || beforeTitle.has(v.at(from-1))) && !doubtfulPair(v, from) {
			return from
		}
	}
	from := i - 1
	if from < 0 || !surnames.has(v.at(from)) || doubtful.has(v.at(from)) && !v.border(from-1) && v.at(from-1) != '的' && v.at(from-1) != '好' {
		return -1
	}
	if v.border(from-1) || beforeTitle.has(v.at(from-1)) && !notBeforeTitle[v.digits(max(0, from-1), from+1)] {
		return from
	}
	return -1
}

func doubtfulPair(v *view, i int) bool { return doubtful.has(v.at(i)) && !v.border(i-1) }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
