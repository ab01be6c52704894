package engine

import "strings"

// UserSettings are the settings under which SQL that a person typed may run,
// beside CheckUserSQL: read only, and with bounds on time, memory, rows and
// bytes. The map is the caller's.
func UserSettings() map[string]any {
	return map[string]any{
		"readonly":                      1,
		"max_execution_time":            30,              // seconds
		"max_memory_usage":              512 << 20,       // bytes, of one statement
		"max_rows_to_read":              1_000_000_000,   // of all tables together
		"max_bytes_to_read":             100_000_000_000, // uncompressed
		"max_result_rows":               1_000_000,
		"max_result_bytes":              256 << 20,
		"result_overflow_mode":          "throw",
		"read_overflow_mode":            "throw",
		"timeout_overflow_mode":         "throw",
		"allow_introspection_functions": 0,
		// A sort with a limit over a view with a join fails with it (26.7).
		"query_plan_optimize_lazy_materialization": 0,
	}
}

// userSystemTables are the tables of database system that people may read.
var userSystemTables = map[string]bool{"tables": true, "columns": true, "parts": true, "functions": true}

// forbiddenFunctions reach files, programs, other hosts, other people's
// statements, or SQL hidden in a text. They are all table functions of the
// engine but those that only make rows or read the caller's own tables, and
// the ordinary functions that do alike.
var forbiddenFunctions = wordSet(`
	arrowflight arrowstream azureblobstorage azureblobstoragecluster cluster clusterallreplicas
	cosn deltalake deltalakeazure deltalakeazurecluster deltalakecluster deltalakelocal deltalakes3 deltalakes3cluster
	eval executable file filecluster filesystem fuzzjson fuzzquery gcs hdfs hdfscluster hive hudi hudicluster
	iceberg icebergazure icebergazurecluster icebergcluster iceberghdfs iceberghdfscluster iceberglocal
	iceberglocalcluster icebergs3 icebergs3cluster input jdbc kafka loop merge
	mergetreeanalyzeindexes mergetreeanalyzeindexesuuid mergetreeindex mergetreeparts mergetreeprojection mergetreetextindex
	mongodb mysql nats odbc oss paimon paimonazure paimonazurecluster paimoncluster paimonhdfs paimonhdfscluster
	paimonlocal paimons3 paimons3cluster postgresql prometheusquery prometheusqueryrange python rabbitmq redis
	remote remotesecure s3 s3cluster sqlite timeseriesdata timeseriesmetrics timeseriessamples timeseriesselector
	timeseriestags url urlcluster viewexplain viewifpermitted ytsaurus

	aiclassify aiembed aiextract aigenerate aitranslate catboostevaluate evalmlmethod reversednsquery
	getclienthttpheader getmacro getserversetting getserverport showcertificate serveruuid
	filesystemavailable filesystemcapacity filesystemunreserved logtrace
	addresstoline addresstolinewithinlines addresstosymbol demangle`)

// forbiddenWords start clauses that write or read files, or run more than the
// one statement.
var forbiddenWords = wordSet("outfile infile")

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// CheckUserSQL says whether SQL that a person typed may run, under
// UserSettings: one statement that reads, no files, programs or other hosts,
// and of the system tables only tables, columns, parts and functions. FORMAT
// and SETTINGS belong to the caller. The error, an *Exception, tells the person
// what to leave out.
//
// The text is read token by token, so that comments, quotes, escapes and case
// hide nothing; what cannot be read is refused.
func CheckUserSQL(sql string) error {
	lx := lexer{sql: sql}
	var tokens []token
	ended := false
	for {
		t, ok, err := lx.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if t.is(";") {
			ended = true
			continue
		}
		if ended {
			return lx.refuse(t, "more than one statement; send one at a time")
		}
		tokens = append(tokens, t)
	}
	if lx.nested {
		return lx.refuse(token{}, "a comment inside a comment, which servers read in different ways")
	}
	if len(tokens) == 0 {
		return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Empty query")
	}
	if err := lx.checkVerb(tokens); err != nil {
		return err
	}
	at := func(i int) token {
		if i < 0 || i >= len(tokens) {
			return token{kind: tokPunct}
		}
		return tokens[i]
	}
	for i, t := range tokens {
		if !t.name() {
			// The embedded engine reads FROM 'name' as a file of that name.
			if t.kind == tokString && (at(i-1).is("FROM") || at(i-1).is("JOIN") || at(i-1).is("TABLE")) {
				return lx.refuse(t, "a text in place of a table's name")
			}
			continue
		}
		low := strings.ToLower(t.text)
		switch {
		case forbiddenWords[low]:
			return lx.refuse(t, "%s: results come over this connection only", strings.ToUpper(low))
		case forbiddenFunctions[low] && (at(i+1).is("(") || at(i-1).is("APPLY") || at(i-1).is("(") && at(i-2).is("APPLY")):
			return lx.refuse(t, "function %s, which reaches outside the tables", t.text)
		case t.kind == tokQuoted && strings.ContainsAny(t.text, `/\`) && (at(i-1).is("FROM") || at(i-1).is("JOIN")):
			return lx.refuse(t, "a path in place of a name")
		case low == "system" && at(i+1).is("."):
			if table := at(i + 2); !table.name() || !userSystemTables[strings.ToLower(table.text)] {
				return lx.refuse(t, "table system.%s; of system only tables, columns, parts and functions are open", table.text)
			}
		case strings.HasPrefix(low, "system."), low == "information_schema":
			return lx.refuse(t, "%s; of the system tables only system.tables, columns, parts and functions are open", t.text)
		case low == "system" && (at(i-1).is("FROM") || at(i-1).is("IN")) && strings.EqualFold(at(0).text, "SHOW"):
			return lx.refuse(t, "database system")
		case low == "identifier" && at(i-1).is(":") && at(i+1).is("}"):
			return lx.refuse(t, "a parameter in place of a name")
		case t.is("SETTINGS") && at(i+1).name() && (at(i+2).is("=") || at(i+2).is(".")):
			return lx.refuse(t, "SETTINGS: limits are set for you")
		case t.is("FORMAT") && i > 0 && at(i+1).name() && (i+2 >= len(tokens) || at(i+2).is("SETTINGS")):
			return lx.refuse(t, "FORMAT: choose the format outside the SQL")
		case t.is("PARALLEL") && at(i+1).is("WITH"):
			return lx.refuse(t, "PARALLEL WITH, which is more than one statement")
		}
	}
	return nil
}

// checkVerb lets through statements that only read.
func (lx *lexer) checkVerb(tokens []token) error {
	i := 0
	for i < len(tokens) && tokens[i].is("(") {
		i++
	}
	word := func(k int) string {
		if i+k < len(tokens) && tokens[i+k].kind == tokWord {
			return strings.ToUpper(tokens[i+k].text)
		}
		return ""
	}
	switch word(0) {
	case "SELECT", "WITH", "FROM":
		for _, t := range tokens[i:] { // WITH ... INSERT INTO t SELECT
			if t.is("INSERT") && word(0) == "WITH" {
				return lx.refuse(t, "INSERT; only reading is allowed")
			}
		}
		return nil
	case "EXPLAIN":
		for _, t := range tokens[i+1:] {
			switch {
			case t.is("SELECT") || t.is("WITH") || t.is("FROM"):
				return nil
			case t.is("INSERT") || t.is("CREATE") || t.is("ALTER") || t.is("DROP") || t.is("SYSTEM"):
				return lx.refuse(t, "EXPLAIN of anything but a SELECT")
			}
		}
	case "DESCRIBE", "DESC":
		if word(1) != "FILESYSTEM" {
			return nil
		}
	case "EXISTS":
		if word(1) != "DICTIONARY" {
			return nil
		}
	case "SHOW":
		switch word(1) {
		case "TABLES", "COLUMNS", "FUNCTIONS":
			return nil
		case "FULL":
			if word(2) == "TABLES" || word(2) == "COLUMNS" {
				return nil
			}
		case "CREATE":
			if word(2) == "TABLE" || word(2) == "VIEW" {
				return nil
			}
		}
	}
	at := token{}
	if i < len(tokens) {
		at = tokens[i]
	}
	return lx.refuse(at, "a statement other than SELECT, WITH, DESCRIBE, EXPLAIN SELECT, EXISTS, SHOW TABLES, SHOW COLUMNS, SHOW FUNCTIONS or SHOW CREATE TABLE")
}

func (lx *lexer) refuse(at token, format string, args ...any) error {
	ex := lx.fail(at.start, format, args...).(*Exception)
	msg := strings.TrimSuffix(ex.Message, " (SYNTAX_ERROR)")
	msg = strings.Replace(msg, "Code: 62. DB::Exception: Syntax error at ", "", 1)
	return exceptionf(codeAccessDenied, "ACCESS_DENIED", "This query is not allowed here: %s", msg)
}
