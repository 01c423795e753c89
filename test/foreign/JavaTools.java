// Apache Kafka's command line tools, each run as its script would run it, its output read. One line a check.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.regex.Pattern;
import org.apache.kafka.common.utils.Exit;

public class JavaTools {
  static final String BOOTSTRAP = System.getenv("KONTIKI_BOOTSTRAP");
  static final PrintStream OUT = System.out;
  static final InputStream IN = System.in;

  interface Main { void run(String[] arguments) throws Exception; }

  /** A tool's way to end its process. Some catch even this and end again with a failure: the first code is what the process would have had. */
  static class Ended extends RuntimeException {}
  static Integer code;

  static void end(int with) {
    if (code == null) code = with;
    throw new Ended();
  }

  /** Runs a tool with what it would read from its input. It must end well, and its output must match each pattern. */
  static void check(String script, String line, Main main, String input, String... patterns) {
    long began = System.nanoTime();
    var out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true));
    System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    String fault = null;
    code = null;
    try {
      main.run(("--bootstrap-server " + BOOTSTRAP + " " + line).trim().split(" +"));
    } catch (Ended ended) {
      // judged below
    } catch (Throwable error) {
      error.printStackTrace();
      fault = String.valueOf(error);
    } finally {
      System.out.flush();
      System.setOut(OUT);
      System.setIn(IN);
    }
    if (fault == null && code != null && code != 0) fault = "ended with code " + code;
    String text = out.toString(StandardCharsets.UTF_8);
    for (String pattern : patterns) if (fault == null && !Pattern.compile(pattern, Pattern.MULTILINE).matcher(text).find()) fault = "its output lacks " + pattern;
    if (fault == null) OUT.printf("ok: %s %s (%d ms)%n", script, line, (System.nanoTime() - began) / 1_000_000);
    else OUT.printf("FAILED: %s %s: %s; it said: %s%n", script, line, fault.replaceAll("\\s+", " "), text.substring(0, Math.min(600, text.length())).replaceAll("\\s+", " "));
  }

  public static void main(String[] arguments) {
    Exit.setExitProcedure((with, message) -> end(with));
    Exit.setHaltProcedure((with, message) -> end(with));
    topics();
    console();
    groups();
    cluster();
    System.exit(0);
  }

  static void topics() {
    Main topics = org.apache.kafka.tools.TopicCommand::main;
    check("kafka-topics.sh", "--create --topic tools --partitions 3 --config retention.ms=1000000", topics, "", "^Created topic tools\\.");
    check("kafka-topics.sh", "--list", topics, "", "^tools$");
    check("kafka-topics.sh", "--describe --topic tools", topics, "", "PartitionCount: 3\\s+ReplicationFactor: 3\\s+Configs:.*retention.ms=1000000", "Partition: 2\\s+Leader: [123]\\s+Replicas: [123],[123],[123]\\s+Isr: [123],[123],[123]");
    check("kafka-topics.sh", "--alter --topic tools --partitions 4", topics, "");
    check("kafka-topics.sh", "--describe --under-replicated-partitions", topics, "", "\\A\\s*\\z");
    check("kafka-topics.sh", "--create --topic tools-gone", topics, "", "^Created topic tools-gone\\.");
    check("kafka-topics.sh", "--delete --topic tools-gone", topics, "");
    Main configs = kafka.admin.ConfigCommand::main;
    check("kafka-configs.sh", "--alter --entity-type topics --entity-name tools --add-config retention.ms=2000000", configs, "", "Completed updating config for topic tools");
    check("kafka-configs.sh", "--describe --entity-type topics --entity-name tools", configs, "", "retention.ms=2000000");
    check("kafka-configs.sh", "--describe --entity-type brokers --entity-name 1 --all", configs, "", "log.dirs=");
  }

  static void console() {
    check("kafka-console-producer.sh", "--topic tools --reader-property parse.key=true --reader-property key.separator=:", org.apache.kafka.tools.ConsoleProducer::main, "a:one\nb:two\nc:three\n");
    check("kafka-console-consumer.sh", "--topic tools --from-beginning --max-messages 3 --timeout-ms 20000 --group tools-group --formatter-property print.key=true", org.apache.kafka.tools.consumer.ConsoleConsumer::main, "", "^a\tone$", "^b\ttwo$", "^c\tthree$");
    check("kafka-get-offsets.sh", "--topic tools", org.apache.kafka.tools.GetOffsetShell::main, "", "^tools:0:\\d+$", "^tools:3:\\d+$");
  }

  static void groups() {
    Main groups = org.apache.kafka.tools.consumer.group.ConsumerGroupCommand::main;
    check("kafka-consumer-groups.sh", "--list", groups, "", "^tools-group$");
    check("kafka-consumer-groups.sh", "--describe --group tools-group", groups, "", "^tools-group\\s+tools\\s+\\d+\\s+\\d+\\s+\\d+\\s+0\\s");
    check("kafka-consumer-groups.sh", "--describe --group tools-group --state", groups, "", "tools-group.*Empty");
    check("kafka-consumer-groups.sh", "--reset-offsets --group tools-group --topic tools --to-earliest --execute", groups, "", "^tools-group\\s+tools\\s+0\\s+0");
    check("kafka-consumer-groups.sh", "--delete --group tools-group", groups, "", "was successful");
    check("kafka-groups.sh", "--list", org.apache.kafka.tools.GroupsCommand::main, "", "GROUP");
  }

  static void cluster() {
    Main quorum = org.apache.kafka.tools.MetadataQuorumCommand::main;
    check("kafka-metadata-quorum.sh", "describe --status", quorum, "", "LeaderId:\\s+[123]", "CurrentVoters:.*1.*2.*3");
    check("kafka-metadata-quorum.sh", "describe --replication", quorum, "", "Leader", "Follower");
    check("kafka-broker-api-versions.sh", "", org.apache.kafka.tools.BrokerApiVersionsCommand::main, "", "id: 1 ", "Produce\\(0\\)", "Fetch\\(1\\)");
    check("kafka-log-dirs.sh", "--describe --topic-list tools", org.apache.kafka.tools.LogDirsCommand::main, "", "\"partition\":\"tools-0\"");
    check("kafka-leader-election.sh", "--election-type preferred --topic tools --partition 0", org.apache.kafka.tools.LeaderElectionCommand::main, "", "Valid replica already elected|Successfully completed");
  }
}
