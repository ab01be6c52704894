package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/opinion"
)

func (a *app) benchOpinionsCommand() *cobra.Command {
	var seconds float64
	var seed uint64
	c := &cobra.Command{
		Use:   "opinions",
		Short: "Assignments a second with 1,000, 10,000 and 100,000 opinions",
		Long: "Fills registries with generated opinions, all of one product, aspect and polarity side, so that no gate shortens the\n" +
			"search, and assigns texts that are no member of any: a third is close to an opinion, the rest is new. One goroutine; the\n" +
			"three sizes take turns, and the median of the rounds counts. heap is what a snapshot holds.",
		Example: "  tingke bench opinions --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := a.benchOpinions(time.Duration(seconds*float64(time.Second)), seed, opinionsBenchSizes)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			for _, x := range r.Results {
				fmt.Fprintf(a.out, "%7d opinions  %9.0f assignments/s  %5.1f %% assigned  %7.1f MB\n", x.Opinions, x.PerS, 100*x.Assigned, x.HeapMB)
			}
			_, err = fmt.Fprintf(a.out, "ratio of the last to the first: %.2f\n", r.Ratio)
			return err
		},
	}
	c.Flags().Float64Var(&seconds, "seconds", 1, "length of a round")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the generated texts")
	return c
}

// opinionsBench is what `bench opinions --json` prints.
type opinionsBench struct {
	Results []opinionsBenchResult `json:"results"`
	Ratio   float64               `json:"ratio"` // assignments/s of the last to those of the first
}

type opinionsBenchResult struct {
	Opinions int     `json:"opinions"`
	PerS     float64 `json:"assignments_per_s"`
	Assigned float64 `json:"assigned"` // share of the texts that found an opinion
	HeapMB   float64 `json:"heap_mb"`
	BuildS   float64 `json:"build_s"`
}

const opinionsBenchRounds = 5

var opinionsBenchSizes = []int{1_000, 10_000, 100_000}

func (a *app) benchOpinions(round time.Duration, seed uint64, sizes []int) (*opinionsBench, error) {
	if len(sizes) == 0 || slices.Min(sizes) < 1 {
		return nil, usagef("numbers of opinions must be at least 1")
	}
	m, err := a.opinionModel()
	if err != nil {
		return nil, err
	}
	out := &opinionsBench{Results: make([]opinionsBenchResult, len(sizes))}
	snapshots := make([]*opinion.Snapshot, len(sizes))
	for i, n := range sizes {
		before := heapMB()
		began := time.Now()
		snapshots[i] = opinion.NewSnapshot(m, 1, benchRegistry(n, seed), opinion.Options{})
		out.Results[i] = opinionsBenchResult{Opinions: n, BuildS: time.Since(began).Seconds(), HeapMB: heapMB() - before}
	}
	r := rand.New(rand.NewPCG(seed, 2))
	probes := make([]opinion.Mention, 4096)
	for i := range probes {
		g := benchPhrase(r)
		probes[i] = opinion.Mention{Text: g.say(r)}
		if i%3 == 0 {
			// Opinion k of every size is made of the same phrase.
			probes[i] = opinion.Mention{Text: "麻烦问下" + benchPhraseOf(seed, r.IntN(sizes[0])).say(r) + "啊"}
		}
	}
	speeds := make([][]float64, len(sizes))
	for range opinionsBenchRounds {
		for i, s := range snapshots {
			n, hit := 0, 0
			began := time.Now()
			for time.Since(began) < round {
				for _, p := range probes[:512] {
					if id, _ := s.Assign(p); id != "" {
						hit++
					}
					n++
				}
				probes = append(probes[512:], probes[:512]...)
			}
			speeds[i] = append(speeds[i], float64(n)/time.Since(began).Seconds())
			out.Results[i].Assigned = float64(hit) / float64(n)
		}
	}
	for i := range speeds {
		slices.Sort(speeds[i])
		out.Results[i].PerS = speeds[i][len(speeds[i])/2]
	}
	out.Ratio = out.Results[len(sizes)-1].PerS / out.Results[0].PerS
	return out, nil
}

func heapMB() float64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc) / (1 << 20)
}

// phrase is what an opinion of the benchmark is about: a part of a thing and what is wrong with it or asked about it.
type phrase struct{ thing, part, point string }

var (
	benchFirst  = []rune("云星海山花木石风雷雨雪霜金银铜玉青蓝白黑红绿紫橙明亮清香甜暖冷静快慢轻重大小长短宽窄高低新老")
	benchSecond = []rune("杯盘碗刀锅壶灯扇机器笔本包袋箱盒鞋帽衣裤裙袜巾被枕席床桌椅柜门窗锁钟表镜梳刷膏霜乳液粉油茶酒米面糖")
	benchParts  = []string{"按键", "屏幕", "电池", "充电口", "包装", "说明书", "盖子", "把手", "开关", "内胆", "面料", "拉链", "气味", "颜色", "尺寸", "重量", "保质期", "赠品", "发票", "配件", "滤网", "密封圈"}
	benchPoints = []string{"坏了", "太小", "掉色", "漏水", "不能用", "和图片不一样", "少了一个", "有划痕", "发黄", "松动", "过期了", "怎么换", "保修多久", "能退吗", "多少钱", "为什么涨价", "什么时候补发", "哪里可以买到", "声音很大", "起球"}
	benchWays   = []string{"%s的%s%s", "我买的%s%s%s", "%s那个%s%s", "你们家%s，%s%s"}
)

func benchPhrase(r *rand.Rand) phrase {
	pick := func(l []rune) string { return string(l[r.IntN(len(l))]) }
	return phrase{pick(benchFirst) + pick(benchFirst) + pick(benchSecond), benchParts[r.IntN(len(benchParts))], benchPoints[r.IntN(len(benchPoints))]}
}

func benchPhraseOf(seed uint64, k int) phrase {
	return benchPhrase(rand.New(rand.NewPCG(seed, uint64(k)+10)))
}

func (p phrase) say(r *rand.Rand) string {
	return fmt.Sprintf(benchWays[r.IntN(len(benchWays))], p.thing, p.part, p.point)
}

func benchRegistry(n int, seed uint64) []opinion.Opinion {
	out := make([]opinion.Opinion, 0, n)
	seen := map[string]bool{}
	for k := 0; len(out) < n; k++ {
		p := benchPhraseOf(seed, k)
		if seen[p.thing+p.part+p.point] {
			continue
		}
		seen[p.thing+p.part+p.point] = true
		var members []string
		for _, w := range benchWays[:3] {
			members = append(members, opinion.Normalise(fmt.Sprintf(w, p.thing, p.part, p.point)))
		}
		slices.Sort(members)
		out = append(out, opinion.Opinion{ID: opinion.ID("", "", "negative", members[0]), Title: p.thing + p.point, Side: "negative", Members: members})
	}
	return out
}
