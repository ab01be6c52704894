package opinion

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// bunch makes n unit vectors around one direction (many) and others in directions of their own.
func bunch(n, others, dim int) []float32 {
	r := rand.New(rand.NewPCG(4, 4))
	v := make([]float32, (n+others)*dim)
	for i := range n + others {
		x := v[i*dim : (i+1)*dim]
		for k := range x {
			x[k] = float32(r.NormFloat64()) / float32(math.Sqrt(float64(dim)))
		}
		if i < n {
			x[0] += 1.3
		}
		unit(x)
	}
	return v
}

// Where more texts are near than elsewhere they must be more alike; where fewer are, the base suffices, however many
// texts there are, and also where neighbours are counted among a sample.
func TestCrowding(t *testing.T) {
	const dim = 64
	f := func(n, others, full int) {
		t.Helper()
		old := fullCompare
		fullCompare = full
		defer func() { fullCompare = old }()
		got := crowding(bunch(n, others, dim), dim, 2)
		for i, c := range got {
			if i < n && (c < .05 || c > .5) || i >= n && c != 0 {
				t.Errorf("%d near and %d others, all compared up to %d: vector %d has crowding %v", n, others, full, i, c)
				return
			}
		}
	}
	f(40, 60, 1000)
	f(400, 600, 1000)
	f(400, 600, 300)
	if got := crowding(nil, dim, 1); len(got) != 0 {
		t.Errorf("nothing has crowding %v", got)
	}
}

// Two texts that are one opinion among others are two where many say nearly the same.
func TestCrowdsPart(t *testing.T) {
	a, b := Mention{Text: "花呗额度怎么提高"}, Mention{Text: "花呗临时额度怎么提高"}
	s := model().Similarity(Normalise(a.Text), Normalise(b.Text))
	if s < Granularity*open || s > .95 {
		t.Fatalf("similarity %.3f shows nothing", s)
	}
	one := func(list []Mention) bool {
		_, got := model().Grow(&Registry{}, append([]Mention{a, b}, list...), Options{})
		return got[0].ID == got[1].ID
	}
	var apart, near []Mention
	for i, x := range []string{"快递", "面膜", "衬衫", "发票", "洗衣机", "口红", "运费", "坚果", "客服", "退款"} {
		for _, y := range []string{"%s没收到", "%s坏了", "我要换%s", "有没有%s", "%s太差", "什么时候发%s"} {
			apart = append(apart, Mention{Text: fmt.Sprintf(y, x)})
			if i < 2 {
				near = append(near, apart[len(apart)-1])
			}
		}
	}
	for _, x := range []string{"", "我的", "请问", "现在", "支付宝", "淘宝", "新"} {
		for _, y := range []string{"花呗%s额度怎么提升", "花呗%s额度如何增加", "花呗%s额度怎么涨", "花呗%s额度能提高吗"} {
			near = append(near, Mention{Text: fmt.Sprintf(y, x)})
		}
	}
	if !one(nil) || !one(apart) {
		t.Errorf("similarity %.3f: not one opinion, alone %v, among others %v", s, one(nil), one(apart))
	}
	if one(near) {
		t.Errorf("similarity %.3f: one opinion in a crowd", s)
	}
}
