import java.io.BufferedOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.InputField;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/** Prints the raw and the calibrated score of each row by the PMML document, as JPMML evaluates it. Arguments: document, rows of 32-bit floats. */
public class Score {
    public static void main(String[] arguments) throws Exception {
        Evaluator evaluator = new LoadingModelEvaluatorBuilder().load(new File(arguments[0])).build();
        evaluator.verify();
        List<InputField> fields = evaluator.getInputFields();
        ByteBuffer rows = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[1]))).order(ByteOrder.LITTLE_ENDIAN);
        try (PrintStream out = new PrintStream(new BufferedOutputStream(System.out))) {
            while (rows.hasRemaining()) {
                Map<String, Object> row = new LinkedHashMap<>();
                for (InputField field : fields) {
                    row.put(field.getName(), field.prepare(rows.getFloat()));
                }
                Map<String, ?> result = evaluator.evaluate(row);
                out.println(result.get("raw") + " " + result.get("score"));
            }
        }
    }
}
