package shopifysarama

// clientRaces says whether the race detector finds fault with the client itself.
const clientRaces = true
