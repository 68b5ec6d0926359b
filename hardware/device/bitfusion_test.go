package device

import "testing"

// The authors' own results for batch 16, an array of 16×32 units with 8 and 2
// bits and 192 bits of memory a cycle (hsharma35/bitfusion at commit cf2d5c8a,
// results/bitfusion-eyeriss-sim-sweep.csv). The shapes are those of their
// benchmarks.
func TestBitFusionGivesTheAuthorsCycles(t *testing.T) {
	t.Parallel()
	conv := func(kernel, stride, side, in, out, input, weight int) QuantizedLayer {
		return QuantizedLayer{Batch: 16, Kernel: kernel, Stride: stride, Side: side, In: in, Out: out, InputBits: input, WeightBits: weight}
	}
	fc := func(in, out, input, weight int) QuantizedLayer { return conv(1, 1, 1, in, out, input, weight) }
	first := func(l QuantizedLayer) QuantizedLayer { l.Im2col = true; return l }
	for _, c := range []struct {
		name        string
		layer       QuantizedLayer
		total, wait int64
	}{
		{"AlexNet conv1_b", first(conv(11, 4, 55, 3, 96, 8, 8)), 3746423, 406823},
		{"AlexNet conv2_a", conv(5, 1, 28, 96, 256, 4, 4), 5018849, 1249},
		{"AlexNet conv3_a", conv(3, 1, 14, 512, 384, 4, 4), 3248129, 538625},
		{"AlexNet conv4_b", conv(3, 1, 14, 384, 384, 4, 4), 2436097, 403969},
		{"AlexNet conv5_b", conv(3, 1, 14, 384, 256, 4, 4), 1624065, 269313},
		{"AlexNet fc1", fc(18432, 8192, 4, 4), 3545090, 2365442},
		{"AlexNet fc2", fc(8192, 8192, 4, 4), 1575596, 1051308},
		{"AlexNet fc3", fc(8192, 1000, 8, 8), 398679, 136535},
		{"SVHN conv0", first(conv(3, 1, 32, 3, 64, 8, 1)), 367979, 335211},
		{"SVHN conv1", conv(3, 1, 32, 64, 64, 1, 1), 358316, 63404},
		{"CIFAR10 conv1", conv(3, 1, 32, 128, 128, 2, 2), 799062, 209238},
		{"LSTM", fc(3600, 3600, 4, 4), 337175, 231383},
		{"RNN", fc(4096, 4096, 4, 4), 394583, 263511},
	} {
		got, err := BitFusion{}.Cycles(c.layer)
		if err != nil {
			t.Fatal(err)
		}
		if got.Total != c.total || got.Wait != c.wait {
			t.Errorf("%s: found %d cycles, %d of them waiting; want %d and %d", c.name, got.Total, got.Wait, c.total, c.wait)
		}
	}
}
