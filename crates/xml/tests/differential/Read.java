import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * What Java's own parser reads in documents, set up as Smack does for its streams. Input and output are those of
 * read.py.
 */
class Read {
    private static final String FIELD = "\u001f";

    public static void main(String[] arguments) throws IOException {
        XMLInputFactory factory = XMLInputFactory.newInstance();
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_REPLACING_ENTITY_REFERENCES, false);
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        InputStream documents = new BufferedInputStream(System.in);
        PrintStream lines = new PrintStream(new BufferedOutputStream(System.out), false, "UTF-8");
        for (int length = length(documents); length >= 0; length = length(documents)) {
            String document = new String(documents.readNBytes(length), StandardCharsets.UTF_8);
            lines.print(line(factory, document) + "\n");
        }
        lines.flush();
    }

    /** The length of the next document; less than 0 if there is none. */
    private static int length(InputStream documents) throws IOException {
        int length = -1;
        for (int digit = documents.read(); digit >= '0'; digit = documents.read()) {
            length = Math.max(length, 0) * 10 + digit - '0';
        }
        return length;
    }

    private static String line(XMLInputFactory factory, String document) {
        List<String> said = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        try {
            XMLStreamReader reader = factory.createXMLStreamReader(new StringReader(document));
            while (reader.hasNext()) {
                switch (reader.next()) {
                    case XMLStreamConstants.START_ELEMENT:
                        said(said, text, start(reader));
                        break;
                    case XMLStreamConstants.END_ELEMENT:
                        said(said, text, "end");
                        break;
                    case XMLStreamConstants.CHARACTERS:
                    case XMLStreamConstants.CDATA:
                    case XMLStreamConstants.SPACE:
                        text.append(reader.getText());
                        break;
                    case XMLStreamConstants.END_DOCUMENT:
                        break;
                    default:
                        return "refused";
                }
            }
        } catch (XMLStreamException refused) {
            return "refused";
        }
        return String.join("\u001e", said).replace('\n', '\u0011').replace('\r', '\u0012');
    }

    /** Adds an event behind the text before it. */
    private static void said(List<String> said, StringBuilder text, String event) {
        if (text.length() > 0) {
            said.add("text" + FIELD + text);
            text.setLength(0);
        }
        said.add(event);
    }

    private static String start(XMLStreamReader reader) {
        TreeMap<String, String> attributes = new TreeMap<>();
        for (int n = 0; n < reader.getAttributeCount(); n++) {
            String name = or(reader.getAttributeNamespace(n)) + FIELD + reader.getAttributeLocalName(n);
            attributes.put(name, reader.getAttributeValue(n));
        }
        StringBuilder event = new StringBuilder("start" + FIELD + or(reader.getNamespaceURI()));
        event.append(FIELD).append(reader.getLocalName());
        attributes.forEach((name, value) -> event.append(FIELD).append(name).append(FIELD).append(value));
        return event.toString();
    }

    private static String or(String text) {
        return text == null ? "" : text;
    }
}
