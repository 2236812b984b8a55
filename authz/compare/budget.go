package compare

// The bounds of a comparison. Where one is hit the verdict is [Unknown], unless
// examples were found before. Policies within the usual size of 2,048 characters
// stay far below them.
const (
	// maxTexts is how many states of the text automaton are visited for one set of
	// patterns.
	maxTexts = 20_000
	// maxWork is the number of steps, over everything, after which a comparison
	// gives up: seconds, not minutes.
	maxWork = 2_000_000
	// maxCallers is how many kinds of callers are told apart.
	maxCallers = 2_000
	// maxLists is how many lists of values are tried for a key with several values.
	maxLists = 512
)

// budget is the work left in one direction of a comparison.
type budget struct {
	left int
	// hit is true once a bound was hit.
	hit bool
}

// spend reports whether there was work left for n steps.
func (b *budget) spend(n int) bool {
	b.left -= n
	b.hit = b.hit || b.left < 0
	return b.left >= 0
}
