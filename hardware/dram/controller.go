package dram

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/internal/source"
)

// A PagePolicy says when an open row is closed.
type PagePolicy uint8

// The page policies.
const (
	Open           PagePolicy = iota // when another row of the bank is needed
	OpenAdaptive                     // with the last waiting access to it, if the bank has other work
	Closed                           // with every access
	ClosedAdaptive                   // with the last waiting access to it
)

// A Scheduler chooses among the requests that wait for a bank.
type Scheduler uint8

// The schedulers.
const (
	Fifo      Scheduler = iota // the oldest
	FrFcfs                     // the oldest that hits the open row, else the oldest
	FrFcfsGrp                  // hits of the kind that was sent last, then other hits, else the oldest
)

// A Buffer says how the places for waiting requests are shared out.
type Buffer uint8

// The buffers, each of Controller.RequestBufferSize.
const (
	Bankwise  Buffer = iota // places for each bank
	ReadWrite               // places for reads and as many for writes
	Shared                  // places for all
)

// A RespQueue says in which order the controller answers.
type RespQueue uint8

// The response queues.
const (
	RespFifo    RespQueue = iota // as the commands were sent
	RespReorder                  // as the requests came
)

// A RefreshPolicy says how rows are refreshed.
type RefreshPolicy uint8

// The refresh policies. A memory that is never refreshed forgets; it is a choice
// because the originals have it, for data that live shorter than 64 ms.
const (
	NoRefresh RefreshPolicy = iota
	AllBank                 // all banks of a rank at once
)

// An Arbiter stands between the client and the controller.
type Arbiter uint8

// The arbiters.
const (
	ArbiterSimple  Arbiter = iota // one request on its way to the controller
	ArbiterFifo                   // as many as MaxActiveTransactions in flight
	ArbiterReorder                // the same, and answers in the order of the requests
)

// A Controller is what can be chosen: ArchGym's ten parameters, in the words of
// DRAMSys. The zero value is ArchGym's default but for the sizes.
type Controller struct {
	PagePolicy            PagePolicy
	Scheduler             Scheduler
	SchedulerBuffer       Buffer
	RequestBufferSize     int // places; 0 means 1
	RespQueue             RespQueue
	RefreshPolicy         RefreshPolicy
	RefreshMaxPostponed   int // refreshes that busy banks may put off; 0 means 1
	RefreshMaxPulledin    int // refreshes that idle banks may do ahead; 0 means 1
	Arbiter               Arbiter
	MaxActiveTransactions int // requests in flight of a Fifo or Reorder arbiter; 0 means 1
}

// The words of each choice, in the order of the constants.
var (
	PagePolicies    = []string{"Open", "OpenAdaptive", "Closed", "ClosedAdaptive"}
	Schedulers      = []string{"Fifo", "FrFcfs", "FrFcfsGrp"}
	Buffers         = []string{"Bankwise", "ReadWrite", "Shared"}
	RespQueues      = []string{"Fifo", "Reorder"}
	RefreshPolicies = []string{"NoRefresh", "AllBank"}
	Arbiters        = []string{"Simple", "Fifo", "Reorder"}
)

func (p PagePolicy) String() string    { return word(PagePolicies, int(p)) }
func (s Scheduler) String() string     { return word(Schedulers, int(s)) }
func (b Buffer) String() string        { return word(Buffers, int(b)) }
func (q RespQueue) String() string     { return word(RespQueues, int(q)) }
func (p RefreshPolicy) String() string { return word(RefreshPolicies, int(p)) }
func (a Arbiter) String() string       { return word(Arbiters, int(a)) }

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return fmt.Sprint(i)
}

// limit bounds the sizes of a controller.
const maxSize = 1 << 20

func (c Controller) withDefaults() Controller {
	for _, n := range []*int{&c.RequestBufferSize, &c.RefreshMaxPostponed, &c.RefreshMaxPulledin, &c.MaxActiveTransactions} {
		if *n == 0 {
			*n = 1
		}
	}
	return c
}

// Validate reports everything that is wrong with a controller.
func (c Controller) Validate() error {
	var errs []error
	choice := func(name string, i int, words []string) {
		if i >= len(words) {
			errs = append(errs, fmt.Errorf("%s: found %d, want one of %s", name, i, strings.Join(words, ", ")))
		}
	}
	choice("PagePolicy", int(c.PagePolicy), PagePolicies)
	choice("Scheduler", int(c.Scheduler), Schedulers)
	choice("SchedulerBuffer", int(c.SchedulerBuffer), Buffers)
	choice("RespQueue", int(c.RespQueue), RespQueues)
	choice("RefreshPolicy", int(c.RefreshPolicy), RefreshPolicies)
	choice("Arbiter", int(c.Arbiter), Arbiters)
	for _, x := range []struct {
		name string
		n    int
	}{
		{"RequestBufferSize", c.RequestBufferSize}, {"RefreshMaxPostponed", c.RefreshMaxPostponed},
		{"RefreshMaxPulledin", c.RefreshMaxPulledin}, {"MaxActiveTransactions", c.MaxActiveTransactions},
	} {
		if x.n < 0 || x.n > maxSize {
			errs = append(errs, fmt.Errorf("%s: found %d, want 1 to %d", x.name, x.n, maxSize))
		}
	}
	return errors.Join(errs...)
}

// mcconfig is a controller on disk.
type mcconfig struct {
	PagePolicy            string
	Scheduler             string
	SchedulerBuffer       string
	RequestBufferSize     int
	CmdMux                string
	RespQueue             string
	RefreshPolicy         string
	RefreshMaxPostponed   int
	RefreshMaxPulledin    int
	PowerDownPolicy       string
	Arbiter               string
	MaxActiveTransactions int
}

// MarshalJSON writes the mcconfig file of DRAMSys.
func (c Controller) MarshalJSON() ([]byte, error) {
	c = c.withDefaults()
	return json.MarshalIndent(map[string]mcconfig{"mcconfig": {
		PagePolicy: c.PagePolicy.String(), Scheduler: c.Scheduler.String(), SchedulerBuffer: c.SchedulerBuffer.String(), RequestBufferSize: c.RequestBufferSize,
		CmdMux: "Oldest", RespQueue: c.RespQueue.String(),
		RefreshPolicy: c.RefreshPolicy.String(), RefreshMaxPostponed: c.RefreshMaxPostponed, RefreshMaxPulledin: c.RefreshMaxPulledin,
		PowerDownPolicy: "NoPowerDown", Arbiter: c.Arbiter.String(), MaxActiveTransactions: c.MaxActiveTransactions,
	}}, "", "    ")
}

// ReadController reads an mcconfig file of DRAMSys. name is what errors call the
// text.
func ReadController(name string, text []byte) (Controller, error) {
	var doc struct {
		M *mcconfig `json:"mcconfig"`
	}
	if err := decodeJSON(name, text, &doc); err != nil {
		return Controller{}, err
	}
	if doc.M == nil {
		return Controller{}, fmt.Errorf("%s: found no mcconfig, want a controller of DRAMSys", name)
	}
	m := doc.M
	var errs []error
	choice := func(field, found string, words []string) int {
		for i, w := range words {
			if w == found {
				return i
			}
		}
		hint := ""
		if near, ok := source.Nearest(found, words); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		errs = append(errs, fmt.Errorf("%s: %s: found %s, want one of %s%s", name, field, quoted(found), strings.Join(words, ", "), hint))
		return 0
	}
	c := Controller{
		PagePolicy: PagePolicy(choice("PagePolicy", m.PagePolicy, PagePolicies)), Scheduler: Scheduler(choice("Scheduler", m.Scheduler, Schedulers)),
		SchedulerBuffer: Buffer(choice("SchedulerBuffer", m.SchedulerBuffer, Buffers)), RequestBufferSize: m.RequestBufferSize,
		RespQueue:     RespQueue(choice("RespQueue", m.RespQueue, RespQueues)),
		RefreshPolicy: RefreshPolicy(choice("RefreshPolicy", m.RefreshPolicy, RefreshPolicies)), RefreshMaxPostponed: m.RefreshMaxPostponed, RefreshMaxPulledin: m.RefreshMaxPulledin,
		Arbiter: Arbiter(choice("Arbiter", m.Arbiter, Arbiters)), MaxActiveTransactions: m.MaxActiveTransactions,
	}
	for _, fixed := range []struct{ field, found, want string }{{"CmdMux", m.CmdMux, "Oldest"}, {"PowerDownPolicy", m.PowerDownPolicy, "NoPowerDown"}} {
		if fixed.found != "" && fixed.found != fixed.want {
			errs = append(errs, fmt.Errorf("%s: %s: found %s, want %s: others are not simulated", name, fixed.field, quoted(fixed.found), fixed.want))
		}
	}
	if err := c.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	if len(errs) > 0 {
		return Controller{}, errors.Join(errs...)
	}
	return c, nil
}

// ArchGymDefault is the controller that ArchGym's file policy.json describes
// before a search changes it.
func ArchGymDefault() Controller { return Controller{}.withDefaults() }
