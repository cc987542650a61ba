package report

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// plot is a chart of horizontal bars.
type plot struct {
	title, sub string
	log        bool // the axis is logarithmic
	bars       []bar
}

type bar struct {
	name, text string // text is the value as people read it
	value      float64
	ours       bool
}

const (
	width     = 860
	nameWidth = 240
	textWidth = 110
	rowHeight = 22
	topHeight = 56
)

// svg draws it. Colours are readable on white and on black.
func (p plot) svg() string {
	var b strings.Builder
	height := topHeight + rowHeight*len(p.bars) + 10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="10" y="22" font-size="15" font-weight="bold" fill="#222222">%s</text>`+"\n", html.EscapeString(p.title))
	fmt.Fprintf(&b, `<text x="10" y="42" font-size="11" fill="#555555">%s</text>`+"\n", html.EscapeString(p.sub))
	for i, bar := range p.bars {
		y := topHeight + i*rowHeight
		colour := "#8a9bb0"
		if bar.ours {
			colour = "#d9662b"
		}
		length := p.length(bar.value)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222222">%s</text>`+"\n", nameWidth, y+15, html.EscapeString(bar.name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", nameWidth+8, y+3, length, rowHeight-6, colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#222222">%s</text>`+"\n", float64(nameWidth+14)+length, y+15, html.EscapeString(bar.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// length is that of a bar, in pixels; the longest has all the room.
func (p plot) length(value float64) float64 {
	const room = width - nameWidth - textWidth - 20
	least, most := math.Inf(1), 0.0
	for _, b := range p.bars {
		most = math.Max(most, b.value)
		if b.value > 0 {
			least = math.Min(least, b.value)
		}
	}
	switch {
	case value <= 0 || most <= 0:
		return 0
	case !p.log:
		return room * value / most
	case most == least:
		return room
	}
	from := math.Floor(math.Log10(least)) - 0.2 // so that the shortest can be seen
	return room * (math.Log10(value) - from) / (math.Log10(most) - from)
}

// plotsOf are the plots by name; some may have no bars.
func plotsOf(results []*trial.Result) map[string]plot {
	speed := plot{title: "Entries a second, up to the last acknowledgement", sub: "zap with five fields, ten goroutines, Apache Kafka; more is better"}
	effort := plot{title: "CPU seconds of the program for a million entries", sub: "the same; less is better"}
	for _, r := range byRival(where(results, func(c trial.Case) bool {
		return isCall(c) && c.Form == trial.Zap5 && c.Goroutines == 10 && (c.Broker == trial.Kafka || c.Broker == trial.None)
	})) {
		name, ours := r.Case.Rival, rivals.IsOwn(r.Case.Rival)
		if v := r.Median(trial.Run.PerSecond); v > 0 {
			speed.bars = append(speed.bars, bar{name, thousands(v), v, ours})
		}
		if logged(r) {
			v := r.Median(cpu.of)
			effort.bars = append(effort.bars, bar{name, cpu.show(v), v, ours})
		}
	}
	plots := map[string]plot{"speed": speed, "cpu": effort}
	for _, fault := range []struct{ name, title string }{
		{trial.Healthy, "p99.9 of a log call that is due, the broker well"},
		{trial.Stopped, "p99.9 of a log call that is due, the broker stopped"},
		{trial.Mute, "p99.9 of a log call that is due, the broker mute from the start"},
	} {
		p := plot{title: fault.title, sub: "50,000 entries a second, ten goroutines, zap with five fields; logarithmic; less is better", log: true}
		for _, r := range byRival(where(results, func(c trial.Case) bool {
			return c.Kind == trial.Steady && c.Fault == fault.name && c.Rate == trial.DefaultRate
		})) {
			if v, ok := latencyOf(r, correctedP999); ok {
				p.bars = append(p.bars, bar{r.Case.Rival, duration(v), v / float64(time.Microsecond), rivals.IsOwn(r.Case.Rival)})
			}
		}
		plots["latency-"+fault.name] = p
	}
	return plots
}
