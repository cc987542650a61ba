import static net.logstash.logback.argument.StructuredArguments.kv;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.joran.JoranConfigurator;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs entries with five fields from several threads, at first some that warm up
 * the compiler, then those which are measured, up to the last acknowledgement,
 * and prints one line of JSON with the names of benchmark/trial's Run.
 */
public class Main {
    public static void main(String[] args) throws Exception {
        int threads = Integer.parseInt(args[0]);
        int warm = Integer.parseInt(args[1]);
        int entries = Integer.parseInt(args[2]);
        Path fallback = Path.of(System.getProperty("bench.fallback"));
        // The clients' own remarks go to the default context: to nowhere, please.
        ((LoggerContext) LoggerFactory.getILoggerFactory()).getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.OFF);

        // The appender's end is the only way to wait for the last acknowledgement,
        // so the warm-up has a context of its own.
        run(open(), threads, warm);
        LoggerContext context = open();
        long before = lines(fallback);

        Files.writeString(Path.of("/proc/self/clear_refs"), "5"); // VmHWM begins anew
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.out.println("{\"Phase\":\"warm\"}");
        if (System.in.read() < 0) {
            context.stop();
            return;
        }
        long cpu = system.getProcessCpuTime();
        long[] took = run(context, threads, entries);
        cpu = system.getProcessCpuTime() - cpu;
        System.out.printf(
                "{\"Phase\":\"done\",\"Run\":{\"Logged\":%d,\"Calling\":%d,\"Took\":%d,\"CPU\":%d,\"PeakResident\":%d,\"Count\":{\"Filed\":%d}}}%n",
                entries, took[0], took[1], cpu, highWater(), lines(fallback) - before);
    }

    /** Sets up what is logged with. Its first entry is counted with those from before the measurement. */
    static LoggerContext open() throws Exception {
        LoggerContext context = new LoggerContext();
        JoranConfigurator configurator = new JoranConfigurator();
        configurator.setContext(context);
        configurator.doConfigure(System.getProperty("bench.config"));
        context.getLogger("bench").info("connect"); // the first entry makes the producer and waits for metadata
        return context;
    }

    /** Returns the nanoseconds until the last call had returned, and until the last acknowledgement. */
    static long[] run(LoggerContext context, int threads, int entries) throws Exception {
        Logger logger = context.getLogger("bench");
        Random random = new Random(3);
        String[] orders = new String[1024];
        for (int i = 0; i < orders.length; i++) {
            orders[i] = String.format("%016x", random.nextLong());
        }
        CountDownLatch done = new CountDownLatch(threads);
        long begin = System.nanoTime();
        for (int t = 0; t < threads; t++) {
            int worker = t;
            int mine = entries / threads + (t < entries % threads ? 1 : 0);
            new Thread(() -> {
                for (int n = 0; n < mine; n++) {
                    logger.info("order placed", kv("order", orders[(worker + n) % orders.length]), kv("customer", 482113 + worker), kv("number", n),
                            kv("total", n % 9973 / 100.0), kv("took", n % 7919 / 1e6));
                }
                done.countDown();
            }).start();
        }
        done.await();
        long called = System.nanoTime() - begin;
        context.stop(); // closes the producer, which waits for what it holds
        return new long[] {called, System.nanoTime() - begin};
    }

    static long lines(Path file) throws Exception {
        if (!Files.exists(file)) {
            return 0;
        }
        try (var all = Files.lines(file)) {
            return all.count();
        }
    }

    static long highWater() throws Exception {
        try (var all = Files.lines(Path.of("/proc/self/status"))) {
            return all.filter(l -> l.startsWith("VmHWM:")).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) << 10).findFirst().orElse(0);
        }
    }
}
