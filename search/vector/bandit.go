package vector

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A Bandit chooses among arms by their success of late: the upper confidence
// bound of a discounted mean (Garivier and Moulines 2011, On upper-confidence
// bound policies for switching bandit problems), since what works in a search
// changes as it goes on. Rewards lie in [0, 1]. It draws nothing at random.
type Bandit struct {
	keep    float64
	explore float64
	pulled  []float64 // discounted
	reward  []float64
	asked   []float64 // pulls whose reward has not come, so that they spread
}

// NewBandit makes a bandit of the given number of arms. memory is how many
// rewards count, in the sense of an exponential average; 0 means 50 an arm.
// explore weights uncertainty; 0 means 0.3.
func NewBandit(arms int, memory, explore float64) *Bandit {
	if arms < 1 || !(memory >= 0) || !(explore >= 0) {
		panic(fmt.Sprintf("vector: bandit: found %d arms, memory %v and exploration %v, want at least one arm and nothing negative", arms, memory, explore))
	}
	if memory == 0 {
		memory = 50 * float64(arms)
	}
	if explore == 0 {
		explore = 0.3
	}
	return &Bandit{
		keep: 1 - 1/max(memory, 1), explore: explore,
		pulled: make([]float64, arms), reward: make([]float64, arms), asked: make([]float64, arms),
	}
}

// Choose returns the arm to pull next. Arms never pulled come first; a pull
// whose reward is not known yet counts as one without success, so that pulls in
// a row do not all go to one arm, and is forgotten by and by if none comes.
func (b *Bandit) Choose() int {
	total := 0.0
	for i := range b.pulled {
		total += b.pulled[i] + b.asked[i]
	}
	root := b.explore * math.Sqrt(max(detmath.Log(max(total, 1)), 0))
	best, bound := 0, math.Inf(-1)
	for i := range b.pulled {
		n := b.pulled[i] + b.asked[i]
		u := math.Inf(1)
		if n > 1e-3 {
			u = b.reward[i]/n + float64(root/math.Sqrt(n))
		}
		if u > bound {
			best, bound = i, u
		}
	}
	for i := range b.asked {
		b.asked[i] *= b.keep
	}
	b.asked[best]++
	return best
}

// Reward reports what a pull of an arm was worth.
func (b *Bandit) Reward(arm int, reward float64) {
	for i := range b.pulled {
		b.pulled[i] *= b.keep
		b.reward[i] *= b.keep
	}
	b.asked[arm] = max(b.asked[arm]-1, 0)
	b.pulled[arm]++
	b.reward[arm] += min(max(reward, 0), 1)
}

// Share returns the discounted share of pulls that went to an arm, and its mean
// reward.
func (b *Bandit) Share(arm int) (share, mean float64) {
	total := 0.0
	for _, n := range b.pulled {
		total += n
	}
	if total == 0 || b.pulled[arm] == 0 {
		return 0, 0
	}
	return b.pulled[arm] / total, b.reward[arm] / b.pulled[arm]
}
