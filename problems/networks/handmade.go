package networks

import (
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

// handmade are networks for images that people designed, small enough for those of a
// few tens of pixels.
var handmade = map[string]*struct {
	title string
	build func(outline) (*neural.Graph, error)
}{
	"lenet5": {"LeNet-5", func(o outline) (*neural.Graph, error) {
		return nets.LeNet5{Image: o.image, Classes: o.classes}.Graph()
	}},
	"resnet": {"ResNet-8", func(o outline) (*neural.Graph, error) {
		return nets.ResNet{Image: o.image, Channels: 8, Blocks: 1, Classes: o.classes}.Graph()
	}},
	"mobilenet": {"MobileNet ×¼", func(o outline) (*neural.Graph, error) {
		return nets.MobileNet{Image: o.image, Width: 0.25, Halve: 4, Classes: o.classes}.Graph()
	}},
}
