package emotion

import (
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

var shared = sync.OnceValues(New)

func scorer(t testing.TB) *Scorer {
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func score(s *Scorer, role schemas.Role, text string, context ...string) Result {
	in := Input{Norm: textnorm.Normalise(text).Text, Role: role}
	for _, c := range context {
		r, u, _ := strings.Cut(c, ": ")
		in.Context = append(in.Context, Utterance{schemas.Role(r), textnorm.Normalise(u).Text})
	}
	return s.Score(in)
}

// TestRulings holds the definitions of the labels and their rulings, each on sentences of our own.
func TestRulings(t *testing.T) {
	s := scorer(t)
	c := func(text, want string, context ...string) {
		t.Helper()
		if r := score(s, schemas.Customer, text, context...); r.Emotion.String() != want {
			t.Errorf("customer %q: got %s, want %s; %v", text, r.Emotion, want, r.Labels)
		}
	}
	a := func(text, want string, context ...string) {
		t.Helper()
		if r := score(s, schemas.Agent, text, context...); r.Emotion.String() != want {
			t.Errorf("agent %q: got %s, want %s; %v", text, r.Emotion, want, r.Labels)
		}
	}
	// What each label expresses.
	c("昨天到的，比照片还好看，特别喜欢", "satisfied")
	c("太谢谢你了小姐姐", "grateful")
	c("期待新口味早点出来", "hopeful")
	c("抱歉啊，是我看错日期了", "apologetic")
	c("啊？居然要等一个月？", "surprised")
	c("没看懂，这两个数怎么对不上", "confused")
	c("都五天了怎么还没寄出来，快点行不行", "urgent")
	c("这会不会是仿的啊，有点不放心", "worried")
	c("真让人失望，以后不买了", "disappointed")
	c("明明是你们写错了，凭什么要我出钱，好委屈", "aggrieved")
	c("一群骗子，等着收律师函吧", "angry")
	c("又是这套说辞，我问了八百遍了", "annoyed")
	c("有蓝色的吗", "neutral")
	a("非常抱歉，耽误您时间了", "apologetic")
	a("亲，在的哦", "neutral")
	a("不太明白您的意思，您能再说一遍吗", "confused")
	a("我也没有办法呀，系统就是这样", "aggrieved")
	a("说过多少遍了，自己看详情页", "annoyed")
	a("你自己不看清楚怪谁啊", "angry")
	a("感谢您的理解与支持", "grateful")
	// A keyword does not decide.
	c("一点都不高兴", "disappointed")
	a("不会让您失望的亲", "neutral")
	c("谢谢你的好意，我要退货", "neutral")
	c("不用急，慢慢来", "neutral")
	c("我不是生气，就是问问", "neutral")
	c("不麻烦的话帮我看一下", "neutral")
	// Thanks.
	c("不用了，谢谢", "neutral")
	c("退款吧，谢谢", "neutral")
	c("请帮我改成红色的，谢谢", "neutral")
	c("没有了，谢谢", "grateful", "agent: 请问还有其他可以帮您的吗")
	c("麻烦你了", "grateful")
	c("麻烦了", "grateful")
	c("已经私信了，谢谢", "neutral")
	c("好的，谢谢", "grateful")
	c("明白了 多谢", "grateful")
	a("请您私信提供一下号码，谢谢", "neutral")
	a("方便的话打个评价哦，谢谢您啦", "grateful")
	a("感谢您对小店的支持，祝您生活愉快", "grateful")
	a("祝您生活愉快", "neutral")
	a("期待再次为您服务", "neutral")
	a("给您添麻烦了", "apologetic")
	a("怠慢之处请您包涵", "apologetic")
	a("我马上帮您催，别急", "neutral")
	a("很高兴为您服务", "neutral")
	a("亲亲不要着急，仓库正在打包", "neutral")
	// Pressing.
	c("怎么还没发货", "urgent")
	c("尽快安排发货哟", "urgent")
	c("希望早点发货", "urgent")
	c("再不发我就退货了", "urgent")
	c("明天就要用了，今天能发吗", "urgent")
	// Anger and giving up.
	c("我会向监管部门举报你们", "angry")
	c("再这样我就找媒体曝光", "angry")
	c("再也不来你家了", "disappointed")
	c("下次不点了", "disappointed")
	c("那我退了吧", "disappointed")
	// Sarcasm, promises.
	c("呵呵，你们效率可真高", "annoyed")
	c("真行，三天回我一个字", "annoyed")
	c("说好的赠品呢", "annoyed")
	c("不是说好送充电头的吗", "confused")
	c("服了你们了", "annoyed")
	// Why.
	c("为什么我领不了这张券", "confused")
	c("怎么又变成两个包裹了", "confused")
	c("如果不满意可以退吗", "neutral")
	c("要是坏了你们管吗", "neutral")
	// Lukewarm.
	c("一般吧，能用", "neutral")
	// Emoji and punctuation.
	c("收到了😍", "satisfied")
	c("😡😡😡", "angry")
	c("😭", "aggrieved")
	c("🙄", "annoyed")
	c("", "neutral")
	c("？？？", "surprised")
	// Defects told flatly.
	c("盖子有一道划痕", "neutral")
}

func TestPolarity(t *testing.T) {
	s := scorer(t)
	f := func(role schemas.Role, text, want string) {
		t.Helper()
		r := score(s, role, text)
		if r.PolarityClass != want {
			t.Errorf("%s %q: got %s (%.2f), want %s", role, text, r.PolarityClass, r.Polarity, want)
		}
		if (r.Polarity > DeadZone) != (r.PolarityClass == schemas.Positive) || (r.Polarity < -DeadZone) != (r.PolarityClass == schemas.Negative) {
			t.Errorf("%q: class %s does not agree with %.3f", text, r.PolarityClass, r.Polarity)
		}
	}
	f(schemas.Customer, "盖子裂了，还漏水", schemas.Negative)
	f(schemas.Customer, "味道很好，送得也快", schemas.Positive)
	f(schemas.Customer, "有没有大一号的", schemas.NeutralPolarity)
	f(schemas.Customer, "怎么还没发货", schemas.Negative)
	f(schemas.Customer, "谢谢", schemas.Positive)
	f(schemas.Customer, "为什么打不开", schemas.Negative)
	f(schemas.Customer, "一点也不好吃", schemas.Negative)
	f(schemas.Customer, "没有什么不满意的", schemas.Positive)
	f(schemas.Agent, "非常抱歉，给您带来不便", schemas.NeutralPolarity)
	f(schemas.Agent, "好的亲", schemas.NeutralPolarity)
	f(schemas.Customer, "The battery is terrible and support was rude", schemas.Negative)
	f(schemas.Customer, "Great service, very helpful and fast", schemas.Positive)
	f(schemas.Customer, "where is my order", schemas.NeutralPolarity)
}

// TestResult holds what every result guarantees.
func TestResult(t *testing.T) {
	s := scorer(t)
	for _, text := range hardTexts {
		for _, role := range []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot} {
			r := score(s, role, text, "agent: 还有什么可以帮您", "customer: 没有")
			var sum float64
			for _, v := range r.Scores {
				if v < 0 || math.IsNaN(float64(v)) {
					t.Fatalf("%.20q: score %v", text, v)
				}
				sum += float64(v)
				if v > r.Scores[r.Emotion] {
					t.Errorf("%.20q: %v is not the argmax", text, r.Emotion)
				}
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Errorf("%.20q: scores sum to %v", text, sum)
			}
			if r.Polarity < -1 || r.Polarity > 1 {
				t.Errorf("%.20q: polarity %v", text, r.Polarity)
			}
			if (len(r.Labels) == 0) != (r.Emotion == schemas.Neutral) || len(r.Labels) > 0 && r.Labels[0].Label != r.Emotion {
				t.Errorf("%.20q: emotion %v, labels %v", text, r.Emotion, r.Labels)
			}
			for _, l := range r.Labels {
				if l.Intensity <= 0 || l.Intensity > 1 {
					t.Errorf("%.20q: intensity %v", text, l)
				}
			}
		}
	}
}

var hardTexts = []string{
	"", " ", "\n", "??", "!", "[怒]", "\x00\xff\xfe", "谢", strings.Repeat("气死我了！", 40_000), strings.Repeat("a", 1<<20), strings.Repeat("不", 5000) + "满意",
	"MIXED 混合 ミックス 혼합 😀", strings.Repeat("😡", 1000),
}

func TestIntensity(t *testing.T) {
	s := scorer(t)
	stronger := func(a, b string) {
		t.Helper()
		x, y := score(s, schemas.Customer, a), score(s, schemas.Customer, b)
		if x.Emotion != y.Emotion || x.Emotion == schemas.Neutral || x.Labels[0].Intensity <= y.Labels[0].Intensity {
			t.Errorf("%q %v is not stronger than %q %v", a, x.Labels, b, y.Labels)
		}
	}
	stronger("气死我了！！！", "我很生气")
	stronger("非常非常感谢", "感谢")
	stronger("极其失望", "有点失望")
}

func TestConcurrent(t *testing.T) {
	s := scorer(t)
	want := score(s, schemas.Customer, "怎么还不发货，急死了")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := score(s, schemas.Customer, "怎么还不发货，急死了"); got.Scores != want.Scores {
					t.Errorf("got %v, want %v", got.Scores, want.Scores)
				}
				score(s, schemas.Customer, "谢谢")
			}
		})
	}
	wg.Wait()
}

func FuzzScore(f *testing.F) {
	s := scorer(f)
	for _, x := range []string{"不是不满意", "呵呵，真行？！", "\xff谢谢", "[怒][怒]", "如果"} {
		f.Add(x, "agent")
	}
	f.Fuzz(func(t *testing.T, text, role string) {
		r := s.Score(Input{Norm: text, Role: schemas.Role(role)})
		var sum float64
		for _, v := range r.Scores {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-4 {
			t.Fatalf("%q: scores sum to %v", text, sum)
		}
	})
}

func BenchmarkText(b *testing.B) {
	s := scorer(b)
	text := textnorm.Normalise("你好，我上周买的那个电饭煲怎么还没发货啊，都等了五天了，麻烦帮我催一下").Text
	b.ReportAllocs()
	for b.Loop() {
		s.Text(text)
	}
}

func BenchmarkScoreText(b *testing.B) {
	s := scorer(b)
	x := s.Text("都五天了怎么还没发货")
	ctx := []Turn{{schemas.Agent, s.Text("您好，有什么可以帮您")}}
	b.ReportAllocs()
	for b.Loop() {
		s.ScoreText(x, schemas.Customer, ctx)
	}
}
