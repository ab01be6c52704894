package mention

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/nlp/cue"
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

// find appends the values of the aliases in text[start:end].
func (p *Products) find(text string, start, end int, dst []int32) []int32 {
	if p == nil || p.trie == nil {
		return dst
	}
	for i := start; i < end; {
		if v, to := p.trie.Longest(text[:end], i); v >= 0 {
			dst = append(dst, v)
			i = to
			continue
		}
		i++
		for i < end && text[i]&0xc0 == 0x80 {
			i++
		}
	}
	return dst
}

// pick gives the name of the first product found that the shop sells; where no shop is known, of the first at all.
func (p *Products) pick(found []int32, shop string) string {
	for _, v := range found {
		for _, o := range p.owners[v] {
			if shop == "" || o.Shop == "" || o.Shop == shop {
				return o.Name
			}
		}
	}
	return ""
}
