package mention

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

// Product is an entry of the product dictionary.
type Product struct {
	// Name is what figures show.
	Name string `yaml:"name"`
	// Aliases are what people call it; the name itself is always one.
	Aliases []string `yaml:"aliases"`
	// Shop is the one that sells it; "" = all shops.
	Shop string `yaml:"shop"`
}

// Products is a compiled product dictionary. It is immutable and safe for concurrent use; nil has no products.
type Products struct {
	trie *cue.Trie
	// owners[v] are the products that the alias of value v may mean.
	owners [][]Product
}

// maxProducts bounds a dictionary, maxAlias the bytes of a name.
const (
	maxProducts = 200_000
	maxAlias    = 200
)

// ReadProducts reads a product dictionary: a YAML file with a list `products` of name, aliases and shop.
func ReadProducts(path string) ([]Product, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read product dictionary: %w", err)
	}
	var file struct {
		Products []Product `yaml:"products"`
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot read product dictionary %q: %w", path, err)
	}
	if _, err := NewProducts(file.Products); err != nil {
		return nil, fmt.Errorf("cannot use product dictionary %q: %w", path, err)
	}
	return file.Products, nil
}

// NewProducts compiles a dictionary. Aliases are compared in normalised form. All bad entries are reported at once.
func NewProducts(list []Product) (*Products, error) {
	if len(list) > maxProducts {
		return nil, fmt.Errorf("%d products, at most %d are taken", len(list), maxProducts)
	}
	p := &Products{}
	texts := map[string]int32{}
	var errs []error
	for i, product := range list {
		if strings.TrimSpace(product.Name) == "" {
			errs = append(errs, fmt.Errorf("products[%d].name: is empty", i))
			continue
		}
		for k, alias := range append([]string{product.Name}, product.Aliases...) {
			norm := strings.TrimSpace(normalise(alias))
			if norm == "" || len(norm) > maxAlias {
				errs = append(errs, fmt.Errorf("products[%d].aliases[%d]: %q has no letters or more than %d bytes", i, k-1, alias, maxAlias))
				continue
			}
			v, ok := texts[norm]
			if !ok {
				v = int32(len(p.owners))
				texts[norm] = v
				p.owners = append(p.owners, nil)
			}
			if o := p.owners[v]; len(o) == 0 || o[len(o)-1].Name != product.Name || o[len(o)-1].Shop != product.Shop {
				p.owners[v] = append(o, Product{Name: product.Name, Shop: product.Shop})
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p.trie = cue.NewTrie(texts)
	return p, nil
}

// found is an alias in a text.
type found struct {
	value      int32
	start, end int32
	standard   bool // what others are compared with: 比面膜A贵
}

// maxFound bounds the aliases taken from one text.
const maxFound = 64

// find appends the aliases in a normalised text, the longest at each place.
func (p *Products) find(text string, dst []found) []found {
	if p == nil || p.trie == nil {
		return dst
	}
	for i := 0; i < len(text) && len(dst) < maxFound; {
		if v, to := p.trie.Longest(text, i); v >= 0 {
			x := found{value: v, start: int32(i), end: int32(to)}
			x.compare(text, dst)
			dst = append(dst, x)
			i = to
			continue
		}
		i++
		for i < len(text) && text[i]&0xc0 == 0x80 {
			i++
		}
	}
	return dst
}

// comparing words stand before what something is compared with.
var comparing = []string{"比起", "相比", "相较于", "不如", "没有", "比", "跟", "和", "与", "同", "较"}

// compare finds out whether x is only what others are compared with: 面膜B比面膜A贵, 跟面膜A比面膜B太贵了.
func (x *found) compare(text string, earlier []found) {
	before := strings.TrimRight(text[:x.start], " ")
	for _, w := range comparing {
		if !strings.HasSuffix(before, w) {
			continue
		}
		if n := len(earlier); n > 0 && earlier[n-1].standard && strings.Trim(text[earlier[n-1].end:x.start], " ,") == w {
			return // 跟面膜A比面膜B: the first one is the standard
		}
		x.standard = true
		return
	}
}

// name is the product that an alias means in a shop, of several the first one; "" when the shop sells none of them. Where
// no shop is known, any does.
func (p *Products) name(value int32, shop string) string {
	for _, o := range p.owners[value] {
		if shop == "" || o.Shop == "" || o.Shop == shop {
			return o.Name
		}
	}
	return ""
}

// subject is the product that text[start:end] is about: the first one that nothing is compared with, else the first.
func (p *Products) subject(list []found, start, end int32, shop string) string {
	first := ""
	for _, x := range list {
		if x.start < start || x.end > end {
			continue
		}
		name := p.name(x.value, shop)
		if name != "" && !x.standard {
			return name
		}
		if first == "" {
			first = name
		}
	}
	return first
}

// only is the one product a text names; "" when it names several or none.
func (p *Products) only(list []found, shop string) (name string, several bool) {
	for _, x := range list {
		switch n := p.name(x.value, shop); {
		case n == "" || n == name:
		case name == "":
			name = n
		default:
			return "", true
		}
	}
	return name, false
}

// pronouns stand for a product that was named before.
var pronouns = []string{"这款", "那款", "这个", "那个", "这件", "那件", "这台", "那台", "这种", "该款", "此款", "这双", "这条", "这瓶", "这盒", "这套", "它"}

// elided is how many characters a turn may have that leaves its product out: 太硬了, 多少钱.
const elided = 12

// product is the one a mention is about: named in it, else elsewhere in the turn, else in the turns before where these
// leave no doubt: the nearest of them that names products names one, and the turn points at it or is short and of an aspect
// that products have.
func (f *Finder) product(d *decision, t *Text, in Input, before []*Said) string {
	if f.products == nil {
		return ""
	}
	if name := f.products.subject(t.products, d.start, d.end, in.Shop); name != "" {
		return name
	}
	if name := f.products.subject(t.products, 0, int32(len(in.Norm.Text)), in.Shop); name != "" {
		return name
	}
	if !pointsBack(in.Norm.Text) && (utf8.RuneCountInString(in.Norm.Text) > elided || !ofProducts(schemas.Aspects[d.aspect])) {
		return ""
	}
	for i := len(before) - 1; i >= 0; i-- {
		if name, several := f.products.only(before[i].products, in.Shop); name != "" || several {
			return name
		}
	}
	return ""
}

func pointsBack(text string) bool {
	for _, w := range pronouns {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

func ofProducts(aspect string) bool {
	switch aspect {
	case schemas.AspectQuality, schemas.AspectSpec, schemas.AspectPrice, schemas.AspectStock, schemas.AspectFunction, schemas.AspectPackaging:
		return true
	}
	return false
}
