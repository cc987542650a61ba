// Package spelling finds the name that somebody probably meant.
package spelling

// Nearest returns the known name that is most like the given one, and "" if none
// is: a fourth of the letters may be wrong, three at most. Of several that are
// as near it is the first.
func Nearest(name string, known []string) string {
	least := len(name)/4 + 1
	if least > 4 {
		least = 4
	}
	best := ""
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many bytes have to be put in, taken out or changed to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 0; i < len(a); i++ {
		diagonal := row[0]
		row[0] = i + 1
		for j := 0; j < len(b); j++ {
			least := diagonal
			if a[i] != b[j] {
				least++
			}
			diagonal = row[j+1]
			if put := row[j] + 1; put < least {
				least = put
			}
			if taken := diagonal + 1; taken < least {
				least = taken
			}
			row[j+1] = least
		}
	}
	return row[len(b)]
}
