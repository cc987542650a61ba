package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

var errNoStock = errors.New("out of stock")

// work stands for what the service does.
func work(ctx context.Context, logger *zapkafka.Logger, rate int) {
	requests, orders, db := logger.Named("http"), logger.Named("orders"), logger.Named("db")
	logger.Info("started")
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			logger.Info("stopping", zap.Error(context.Cause(ctx)))
			return
		}
		tenant := fmt.Sprintf("tenant-%d", n%7)
		fields := []zap.Field{zapkafka.Key(tenant), zap.String("tenant", tenant)}
		took := time.Duration(1+n*37%90) * time.Millisecond
		db.Debug("query", append(fields, zap.Duration("took", took/2))...)
		requests.Info("request", append(fields, zap.String("path", "/orders"), zap.Int("status", 200), zap.Duration("took", took))...)
		switch {
		case n%50 == 49:
			orders.Error("order failed", append(fields, zap.Int("order", n), zap.Error(errNoStock))...)
		case n%10 == 9:
			orders.Warn("slow payment", append(fields, zap.Int("order", n), zap.Duration("took", 20*took))...)
		default:
			orders.Info("order placed", append(fields, zap.Int("order", n), zap.Int("items", 1+n%5))...)
		}
	}
}
