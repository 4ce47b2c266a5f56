"""Chinese of the library's own texts: exceptions, problems of rows, findings, and messages of the option parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMPOSED", "FOREIGN", "TEXTS"]

TEXTS: Mapping[str, str] = {
    # Problems of rows
    "is blank: the request has no companyName": "未填写：请求中没有 companyName",
    "is blank: the request has no accountName": "未填写：请求中没有 accountName",
    "is not a mainland mobile number (11 digits, starting with 13 to 19)": (
        "不是中国大陆手机号（11 位，以 13 至 19 开头）"
    ),
    "has a wrong check digit; is it mistyped?": "校验位不符，请检查是否输错",
    (
        "ends in zeros and has a wrong check digit: a spreadsheet keeps 15 digits of a number; format the column as "
        "text and type it again"
    ): ("以零结尾且校验位不符：电子表格的数值只保留 15 位，请将该列设为文本格式后重新输入"),
    "is neither a mainland mobile number nor an e-mail address": "既不是中国大陆手机号，也不是邮箱",
    "must have 18 characters": "应为 18 位",
    "must have the six digits of a region as its characters 3 to 8": "第 3 至 8 位应为六位行政区划代码",
    "has an invalid character; a credit code has digits and capital letters except I, O, S, V and Z": (
        "含无效字符；统一社会信用代码由数字和大写字母组成，不含 I、O、S、V、Z"
    ),
    "is not the number of a resident card (17 digits, then a digit or X)": (
        "不是居民身份证号码（17 位数字，末位为数字或 X）"
    ),
    "has no valid date of birth in its digits 7 to 14": "第 7 至 14 位不是有效的出生日期",
    "has more than {count} characters, which no URL should have": "超过 {count} 个字符，不是正常的网址",
    "must be a complete URL, such as https://your-domain.com/path": "应为完整网址，例如 https://your-domain.com/path",
    "must be 1, 2 or 3": "应为 1、2 或 3",
    "repeats the headings; delete the row": "与表头重复，请删除该行",
    "is a total, a signature, a note, an instruction or an example, not a company; delete the row": (
        "是合计、签字、备注、填写说明或示例，而不是企业，请删除该行"
    ),
    "has more than 1,000 characters, and is no code or number": "超过 1,000 个字符，不是代码或号码",
    (
        "is a number in scientific notation (such as 1.38E+10) and has lost digits; format the column as text, type "
        "the number again and save the file"
    ): ("是科学计数法（如 1.38E+10），已丢失位数；请将该列设为文本格式，重新输入后保存"),
    "has a line break inside; write it on one line, and one company per row": (
        "单元格内有换行；请写在一行，每行一家企业"
    ),
    "holds a spreadsheet error, such as #N/A or ####; correct it": "是电子表格的错误值（如 #N/A、####），请更正",
    "holds a spreadsheet error, such as #N/A; correct it": "是电子表格的错误值（如 #N/A），请更正",
    "has a character that was lost when the file was saved (U+FFFD or a question mark); type it again": (
        "有字符在保存文件时丢失（U+FFFD 或问号），请重新输入"
    ),
    "has the private-use character U+{code}, which others cannot read; {advice}": (
        "含私用区字符 U+{code}，他人无法识别；{advice}"
    ),
    "write {character} (U+{code}) for it": "请改写为 {character}（U+{code}）",
    "type it again with another font": "请换用其他字体重新输入",
    "has an escaped character, such as &amp; or _x000D_; write the character itself": (
        "含转义字符（如 &amp; 或 _x000D_），请写字符本身"
    ),
    "has no letters, so it is no name": "不含文字，不是名称",
    "has a character that no telephone number has; correct it": "含电话号码中不会出现的字符，请更正",
    "has only zeros; leave it blank if it is not known": "全为零；如不清楚请留空",
    "must be 1 (企业), 2 (个体工商户) or 3 (其他)": "应为 1（企业）、2（个体工商户）或 3（其他）",
    "must be a whole number": "应为整数",
    "has more than {count} characters": "超过 {count} 个字符",
    "has a control character; delete it": "含控制字符，请删除",
    "has a blank inside a Chinese name; write one person, without blanks": "中文姓名中有空格；请只写一人，且不带空格",
    "has a lone surrogate (half a character), which cannot be sent": "含不完整的字符（孤立代理项），无法发送",
    "is true or false; write a string": "是布尔值，请改为字符串",
    "is an object or a list; write a string": "是对象或数组，请改为字符串",
    "occurs twice in one object": "在同一对象中重复出现",
    "is not one JSON object on one line": "不是一行一个 JSON 对象",
    "has neither a credit code nor an account to identify it; fill one in, or name another column with --key": (
        "没有可标识企业的统一社会信用代码或账号；请填写其一，或用 --key 指定其他列"
    ),
    "has neither a company's name nor a credit code; fill one in, or delete the row": (
        "既无企业名称也无统一社会信用代码；请填写其一，或删除该行"
    ),
    "has none of the data that identifies a company; fill it in": "没有可标识企业的数据，请填写",
    "has no key; give it a credit code or an account, or pass key=": (
        "没有键；请填写统一社会信用代码或账号，或传入 key="
    ),
    "has a cell beyond the last heading, in {column}; is a cell split in two?": (
        "在表头之外的 {column} 有内容，是否有单元格被拆成了两个？"
    ),
    "is merged with another cell and has no value of its own; unmerge it and fill in each cell": (
        "是合并单元格，本身没有值；请取消合并并逐格填写"
    ),
    "holds a formula without a computed value; open the file in a spreadsheet program and save it": (
        "公式尚未计算出结果；请用电子表格软件打开并保存该文件"
    ),
    "is shown with zeros at its start, which its number format adds; {advice}": "开头的零是数字格式补上的；{advice}",
    "is a boolean; {advice}": "是布尔值；{advice}",
    "is not a number (NaN) or infinite; {advice}": "不是有效数字（NaN 或无穷大）；{advice}",
    "has more than 15 digits and has lost some of them; {advice}": "超过 15 位且已丢失部分数字；{advice}",
    "is a time; {advice}": "是时间；{advice}",
    "is a date or time; {advice}": "是日期或时间；{advice}",
    "format the column as text and type it again": "请将该列设为文本格式后重新输入",
    "its order was withdrawn: run `kfq onboard reissue LEDGER --withdrawn` for a new link": (
        "订单已撤销：运行 `kfq onboard reissue LEDGER --withdrawn` 可申请新链接"
    ),
    "its order expired: run `kfq onboard reissue LEDGER --expired` for a new link": (
        "订单已失效：运行 `kfq onboard reissue LEDGER --expired` 可申请新链接"
    ),
    (
        "its data changed after its link was issued, and the link is kept: run `kfq onboard reissue LEDGER --key KEY` "
        "for a new order"
    ): ("获得链接后数据有改动，链接保持不变：如需新订单，请运行 `kfq onboard reissue LEDGER --key KEY`"),
    "its data changed while the result of its request is unknown: restore the data and run again, {otherwise}": (
        "请求结果未知期间数据有改动：请恢复原数据后再次运行，{otherwise}"
    ),
    (
        "the callback URLs or their secret changed while the result of its request is unknown: give the former ones "
        "again, the former secret after the new one (KFQ_CALLBACK_SECRET=NEW,FORMER), and run again, {otherwise}"
    ): (
        "请求结果未知期间回调地址或其密钥有改动：请重新指定原地址，并将旧密钥写在新密钥之后（"
        "KFQ_CALLBACK_SECRET=NEW,FORMER），然后再次运行，{otherwise}"
    ),
    "or run `kfq onboard reissue LEDGER --key KEY --even-unknown`, which may lead to a second order": (
        "或运行 `kfq onboard reissue LEDGER --key KEY --even-unknown`（可能产生第二个订单）"
    ),
    "same company as row {row} with other data: delete one of the rows, or choose a key column": (
        "与第 {row} 行是同一家企业，但数据不同：请删除其中一行，或指定键列"
    ),
    "duplicate of row {row}, which is sent once": "与第 {row} 行重复，只发送一次",
    "the platform's link is not an http or https URL": "平台返回的链接不是 http 或 https 地址",
    "other problems": "其他问题",
    # Input files
    "{file} is blank; write the headings on its first line": "{file} 没有内容；请在第一行写表头",
    "{file} has no data on line {line}; choose the line of the headings with --header-row": (
        "{file} 第 {line} 行没有内容；请用 --header-row 指定表头所在行"
    ),
    (
        "{file}: the row that begins on line {line} cannot be parsed; close its quotation marks, and double those "
        "inside a cell"
    ): ("{file}：无法解析从第 {line} 行开始的记录；请补全引号，单元格内的引号须写两遍"),
    "{file} is not in {encoding} from line {line} on; give its --encoding": (
        "{file} 从第 {line} 行起不是 {encoding} 编码；请用 --encoding 指定"
    ),
    "{file} cannot be read: {reason}": "无法读取 {file}：{reason}",
    "{file} is a text file, which has no sheets; leave --sheet out": "{file} 是文本文件，没有工作表；请去掉 --sheet",
    "{file} is JSON, which has no row of headings; leave --header-row out": (
        "{file} 是 JSON，没有表头行；请去掉 --header-row"
    ),
    "{file} is empty (0 bytes)": "{file} 是空文件（0 字节）",
    "{file} is what Excel leaves beside an open workbook; give the workbook itself": (
        "{file} 是 Excel 打开工作簿时产生的临时文件；请指定工作簿本身"
    ),
    "{file} is a workbook, which has no encoding to choose; leave --encoding out": (
        "{file} 是工作簿，无需指定编码；请去掉 --encoding"
    ),
    "{file} is {kind}, whatever its name; open it and save it as XLSX": (
        "{file} 的实际格式是 {kind}；请打开后另存为 XLSX"
    ),
    "HTML or XML": "HTML 或 XML",
    "a PDF": "PDF 文件",
    "a web archive (MHTML)": "网页存档（MHTML）",
    "a SYLK file": "SYLK 文件",
    "a text document (RTF)": "RTF 文档",
    "{file} is a folder, a pipe or a device; give a regular file, since it is read twice": (
        "{file} 是目录、管道或设备；需要读取两遍，请指定普通文件"
    ),
    (
        "{file}: the encoding is not known; it is not UTF-8, and in GB18030 its text is of rare characters only. Save "
        "it as CSV UTF-8, or give its --encoding, such as big5, shift_jis or gb18030"
    ): (
        "{file}：无法识别编码；不是 UTF-8，按 GB18030 解读则全是生僻字。请另存为 CSV UTF-8，或用 --encoding 指定，例如"
        " big5、shift_jis 或 gb18030"
    ),
    (
        "{file} mixes two encodings: {first} up to line {last}, {second} in line {line}; save it as CSV UTF-8, or "
        "give --encoding"
    ): (
        "{file} 混用了两种编码：到第 {last} 行为 {first}，第 {line} 行为 {second}；请另存为 CSV UTF-8，或用 "
        "--encoding 指定"
    ),
    "{file}: unknown encoding {encoding}; use utf-8 or gb18030": "{file}：未知编码 {encoding}；请使用 utf-8 或 gb18030",
    (
        "{file}, line {line} is neither in UTF-8 (see its byte {utf_8}) nor in GB18030 (see its byte {gb18030}); save "
        "the file as CSV UTF-8"
    ): (
        "{file} 第 {line} 行既不是 UTF-8（见第 {utf_8} 字节），也不是 GB18030（见第 {gb18030} 字节）；请另存为 CSV "
        "UTF-8"
    ),
    "{file} is in UTF-16; save it as CSV UTF-8, or as XLSX": "{file} 是 UTF-16 编码；请另存为 CSV UTF-8 或 XLSX",
    "{file}, line {line} has a NUL byte, which no text has; save it as CSV UTF-8": (
        "{file} 第 {line} 行含 NUL 字节，不是文本；请另存为 CSV UTF-8"
    ),
    "{file}, line {line} has more than {count} bytes; is this a table?": (
        "{file} 第 {line} 行超过 {count} 字节，请确认是否为表格"
    ),
    "{file} holds no JSON object; write one object per line": "{file} 中没有 JSON 对象；请每行写一个对象",
    "{file} is a JSON array; write one object per line, without brackets and commas around": (
        "{file} 是 JSON 数组；请每行写一个对象，不要外层方括号与逗号"
    ),
    "{file}, line {line}: more than {count} different keys; is this a table?": (
        "{file} 第 {line} 行：键超过 {count} 种，请确认是否为表格"
    ),
    "{file} is not in {encoding}; save it as UTF-8": "{file} 不是 {encoding} 编码；请另存为 UTF-8",
    "there is no field {field}; choose one of {fields}": "没有字段 {field}；可选 {fields}",
    "there is no column {name}, or more than one{hint}": "没有“{name}”列，或不止一列{hint}",
    "there is no column for credit_code or account_name{hint}": "没有对应 credit_code 或 account_name 的列{hint}",
    "no heading is recognised{hint}": "无法识别任何表头{hint}",
    "; the first row looks like data, put a row of headings above it or choose one with --header-row": (
        "；第一行像是数据，请在其上方加一行表头，或用 --header-row 指定"
    ),
    "; did you mean {heading}?": "；是否为“{heading}”？",
    "{guess} the headings are {headings}": "{guess}现有表头：{headings}",
    (
        "the column {name} stands beside a bank and may be the company's bank account; rename it, or choose the "
        "operator's account with --column account_name=HEADING"
    ): ("“{name}”列与开户银行相邻，可能是企业的银行账号；请改名，或用 --column account_name=表头 指定经办人账号列"),
    (
        "{file} holds requests in the platform's format ({names}); write a column per field, such as company_name, or "
        "use request_rows"
    ): ("{file} 是平台格式的请求（{names}）；请每个字段写一列，例如 company_name，或使用 request_rows"),
    "{problem}; or is it another sheet, {sheets}? choose it with --sheet": (
        "{problem}；或者应使用其他工作表（{sheets}）？请用 --sheet 指定"
    ),
    "columns not used: {columns}": "未使用的列：{columns}",
    "row {row} holds the headings, and the title above it is skipped; or choose --header-row": (
        "以第 {row} 行为表头，其上方的标题已跳过；也可用 --header-row 指定"
    ),
    "has data in {column}, which has no heading; write one, in one row of headings": (
        "在没有表头的 {column} 有数据；请补上表头，表头须在同一行"
    ),
    "column {letters}": " {letters} 列",
    "{file} cannot be read: it is damaged, or takes too much memory or time; {advice}": (
        "无法读取 {file}：文件已损坏，或占用过多内存或时间；{advice}"
    ),
    "open it in a spreadsheet program and save it as XLSX": "请用电子表格软件打开并另存为 XLSX",
    (
        "its sheet reaches to the cell {cell}: delete the rows and columns that do not belong to the table, blank "
        "ones included, and save it"
    ): ("工作表延伸到单元格 {cell}：请删除不属于表格的行与列（包括空白的），然后保存"),
    "{file}: row {row} of the sheet {sheet} is blank; choose another --header-row": (
        "{file}：工作表“{sheet}”的第 {row} 行为空；请用 --header-row 指定其他行"
    ),
    "{file}: the sheet {sheet} is empty; its first row must be the headings": (
        "{file}：工作表“{sheet}”为空；第一行应为表头"
    ),
    "an error in a cell of an {format} looks like a blank cell; save it as XLSX to have errors reported": (
        "{format} 中的错误值看上去与空单元格相同；请另存为 XLSX 以便报告错误"
    ),
    "ODS or XLSB": "ODS 或 XLSB",
    "{file} is not a workbook, or damaged; {advice}": "{file} 不是工作簿，或已损坏；{advice}",
    "only the sheet {sheet} is read, not {others}; choose another with --sheet": (
        "只读取工作表“{sheet}”，不读取 {others}；可用 --sheet 另行指定"
    ),
    "{file} has no sheet {sheet}; it has {sheets}": "{file} 没有工作表“{sheet}”；现有 {sheets}",
    "{file} is protected by a password; open it and save it without one": "{file} 有密码保护；请打开并去除密码后保存",
    "two rows say that they are row {row}, or rows are not in order; {advice}": (
        "有两行的行号都是 {row}，或行的顺序错乱；{advice}"
    ),
    "{file}: every visible sheet is empty; the first row must be the headings": (
        "{file}：所有可见工作表均为空；第一行应为表头"
    ),
    "{count} hidden or filtered rows are read like the others; delete what is not meant": (
        "隐藏或被筛选掉的 {count} 行同样会读取；不需要的请删除"
    ),
    "{file}: workbooks need python-calamine; run pip install 'kfq-async[onboarding]'": (
        "{file}：读取工作簿需要 python-calamine；请运行 pip install 'kfq-async[onboarding]'"
    ),
    "{file} says that its texts are in the code page {code_page}; {advice}": (
        "{file} 标明其文本的代码页为 {code_page}；{advice}"
    ),
    "{file}: its XML cannot be read ({detail}); {advice}": "{file}：无法读取其中的 XML（{detail}）；{advice}",
    "{file}, sheet {sheet}: {problem}": "{file}，工作表“{sheet}”：{problem}",
    "{file}: the XML of the sheet {sheet} cannot be read ({detail}); {advice}": (
        "{file}：无法读取工作表“{sheet}”的 XML（{detail}）；{advice}"
    ),
    "row {row} has a cell with a reference that no sheet has; {advice}": "第 {row} 行有引用无效的单元格；{advice}",
    (
        "the cell {cell} lies far beyond the others; delete the rows and columns that do not belong to the table, "
        "blank ones included, and save it"
    ): ("单元格 {cell} 远离其他数据；请删除不属于表格的行与列（包括空白的），然后保存"),
    "{file}: a cell holds a spreadsheet error, such as #N/A; correct it": (
        "{file}：有单元格是电子表格的错误值（如 #N/A），请更正"
    ),
    "checking numbers needs python-stdnum; run pip install 'kfq-async[onboarding]'": (
        "校验号码需要 python-stdnum；请运行 pip install 'kfq-async[onboarding]'"
    ),
    # Ledgers
    "its file system offers no locks: put the ledger on a local disk": "所在文件系统不支持锁：请将台账放在本地磁盘",
    (
        "the disk is full, or a quota or a limit on the size of files is reached; free some space and run again, "
        "completed work is not lost"
    ): ("磁盘已满，或达到配额或文件大小上限；请释放空间后再次运行，已完成的部分不会丢失"),
    "the disk is full; free some space and run again, completed work is not lost": (
        "磁盘已满；请释放空间后再次运行，已完成的部分不会丢失"
    ),
    "another process writes to it; wait until it ends, and run again": "另一进程正在写入；请等其结束后再次运行",
    "it cannot be opened; check the permissions of the file and its folder, which must be writable": (
        "无法打开；请检查文件及其目录的权限，目录须可写"
    ),
    "it cannot be written; check the permissions of the file and its folder": "无法写入；请检查文件及其目录的权限",
    "another process": "另一进程",
    "process {process} on {host}, since {since}": "{host} 上的进程 {process}（自 {since} 起）",
    "{ledger} is damaged: restore it from a backup, together with {key}.key": (
        "{ledger} 已损坏：请从备份恢复，并一并恢复 {key}.key"
    ),
    "{ledger} is not a ledger: name another file": "{ledger} 不是台账：请指定其他文件",
    "{ledger} is in use by {holder}: wait until it ends": "{ledger} 正被{holder}使用：请等其结束",
    "{ledger} was opened before this process was forked: open it in the new process": (
        "{ledger} 在进程 fork 之前已打开：请在新进程中打开"
    ),
    "{ledger} is another program's database: name another file": "{ledger} 是其他程序的数据库：请指定其他文件",
    (
        "{ledger} has schema version {version}, and this version of the package supports 1 to {supported}: upgrade "
        "the package, or name a new file"
    ): ("{ledger} 的结构版本为 {version}，当前软件支持 1 至 {supported}：请升级软件，或指定新文件"),
    "{ledger} was created with another secret: restore {key}.key, or pass that secret": (
        "{ledger} 是用另一密钥创建的：请恢复 {key}.key，或传入该密钥"
    ),
    (
        "{ledger} is older than {key}, and lacks ids that were sent: put its -wal file beside it, from the folder "
        "where it was used last, or restore the newest copy of ledger and key"
    ): ("{ledger} 比 {key} 旧，缺少已发送的请求标识：请从上次使用的目录取回 -wal 文件放在其旁，或恢复最新的台账与密钥"),
    (
        "{ledger} is missing or empty, and files of a ledger that was used are beside it ({files}): put that ledger "
        "back in its place beside them, and run again. Delete them only to begin a new ledger, which requests a second "
        "order for each company that was requested before"
    ): (
        "{ledger} 不存在或为空，而旁边有已使用过的台账的文件（{files}）：请将该台账放回原处，与这些文件在一起，再重新运"
        "行。只有要另建台账时才可删除这些文件：已申请过的企业都会再次申请，产生第二个订单"
    ),
    "{ledger} was opened with exclusive=False, to read only: open it without for a run": (
        "{ledger} 以 exclusive=False 只读打开：运行时请勿使用该参数"
    ),
    "{holder} has taken over {ledger}: let one of the two runs end, and run again": (
        "{holder}已接管 {ledger}：请让其中一个运行结束后再次运行"
    ),
    (
        "{count} companies are deleted, but deleted data stays readable in {ledger} and its -wal, since another "
        "process reads the ledger: end that process and purge again"
    ): (
        "已删除 {count} 家企业，但另一进程正在读取台账，被删数据仍可从 {ledger} 及其 -wal 中读出：请结束该进程后再次清"
        "除"
    ),
    "{file} is a folder or a device: name another file": "{file} 是目录或设备：请指定其他文件",
    "{file} has {count} names (hard links): delete all but one, or copy the file": (
        "{file} 有 {count} 个硬链接：请只保留一个，或复制该文件"
    ),
    "{file} belongs to another user (uid {uid}): run as that user, or chown the file": (
        "{file} 属于其他用户（uid {uid}）：请以该用户运行，或用 chown 更改所有者"
    ),
    "{file} has mode {mode}, so that others may use it: run chmod 600 on it": (
        "{file} 的权限为 {mode}，其他用户也能使用：请对其运行 chmod 600"
    ),
    "{file} was open when this process was forked: open it only after the fork, or start processes by spawn": (
        "{file} 在进程 fork 时处于打开状态：请在 fork 之后再打开，或以 spawn 方式启动进程"
    ),
    "{file} is in use by this process: use that SqliteLedger, or pass exclusive=False": (
        "{file} 正被本进程使用：请使用该 SqliteLedger，或传入 exclusive=False"
    ),
    "{file} does not hold {count} bytes as hexadecimal digits: restore it": (
        "{file} 的内容不是 {count} 字节的十六进制数：请恢复该文件"
    ),
    "{file} was replaced by the key of another ledger: restore it": "{file} 被替换成了另一台账的密钥：请恢复该文件",
    (
        "{ledger} was moved, deleted or replaced while it was open: put the latest one back, with its -wal and .key, "
        "and run again"
    ): ("{ledger} 在使用中被移动、删除或替换：请将最新的台账连同 -wal 与 .key 放回原处，然后再次运行"),
    "an earlier attempt may have been executed; last error: {error}": "此前的请求可能已执行；最近一次错误：{error}",
    # What a ledger is bound to
    "{ledger} has the {name} {recorded}, not {value}: {advice}": (
        "{ledger} 的{name}为 {recorded}，而不是 {value}：{advice}"
    ),
    "platform": "平台",
    "key": "键",
    "credit code and account": "统一社会信用代码与账号",
    "name another --ledger for another platform": "换用其他平台时请用 --ledger 指定其他台账",
    "give the same --key again, or name another --ledger": "请使用相同的 --key，或用 --ledger 指定其他台账",
    (
        "{ledger} belongs to another tenant (token #{recorded}, not #{fingerprint}): name another --ledger for "
        "another enterprise, or add --new-token if the token is a new one of the same enterprise"
    ): (
        "{ledger} 属于另一租户（令牌 #{recorded}，而不是 #{fingerprint}）：换用其他企业时请用 --ledger 指定其他台账；"
        "若为同一企业的新令牌，请加 --new-token"
    ),
    "{name} and {other} are the same file, {path}; choose another name": (
        "{name} 与 {other} 是同一文件 {path}；请换一个文件名"
    ),
    "{name}: {path} cannot be written; choose a file in an existing, writable folder": (
        "{name}：无法写入 {path}；请选择已有可写目录中的文件"
    ),
    "the input": "输入文件",
    "the ledger's {suffix}": "台账的 {suffix}",
    # Output files
    "{out} is the input; choose another name with --out": "{out} 就是输入文件；请用 --out 指定其他文件名",
    "{out} cannot be written; choose a file in an existing, writable folder with --out": (
        "无法写入 {out}；请用 --out 指定已有可写目录中的文件"
    ),
    "{out}: the output must end in .csv, .jsonl or .xlsx": "{out}：输出文件须以 .csv、.jsonl 或 .xlsx 结尾",
    "JSON cannot hold two columns {columns}; rename one, or choose a .csv or .xlsx with --out": (
        "JSON 不能有两个同名列 {columns}；请改名，或用 --out 指定 .csv 或 .xlsx"
    ),
    "{file} has more rows than an XLSX can hold ({count}); choose a .csv with --out": (
        "{file} 的行数超过 XLSX 的上限（{count}）；请用 --out 指定 .csv"
    ),
    "{out} cannot be written: {reason}; {advice}, and run the same command again": (
        "无法写入 {out}：{reason}；{advice}，然后再次运行同一命令"
    ),
    "free some space": "请释放空间",
    "create the folder": "请创建该目录",
    "choose another place": "请换一个位置",
    "choose a writable folder, and close the file in other programs": "请选择可写目录，并在其他程序中关闭该文件",
    "writing an XLSX needs XlsxWriter; run pip install 'kfq-async[onboarding]'": (
        "写 XLSX 需要 XlsxWriter；请运行 pip install 'kfq-async[onboarding]'"
    ),
    "an XLSX holds {count} rows; choose a .csv with --out": "XLSX 最多 {count} 行；请用 --out 指定 .csv",
    # Calls, and codes of the platform
    "paused: {reason}. {advice}": "已暂停：{reason}。{advice}",
    "{count} calls in a row got no response from the platform: check the network and the base URL": (
        "连续 {count} 次请求未得到平台响应：请检查网络与接口地址"
    ),
    "Top up the account": "请为账户充值",
    "Run it again with the base URL of a platform that offers identification links": (
        "请改用提供认证链接的平台的接口地址后再次运行"
    ),
    "Check the token and its permissions": "请检查令牌及其权限",
    "Check the signer's key, and this machine's clock": "请检查签名密钥与本机时钟",
    "Check the base URL, its context path, and any proxy or gateway in between": (
        "请检查接口地址、上下文路径以及中间的代理或网关"
    ),
    "Check the base URL and the CA": "请检查接口地址与 CA",
    "rate limit exceeded": "触发限流",
    "signature verification failed": "验签失败",
    "a parameter is missing, or refers to something that does not exist": "缺少参数，或参数所指对象不存在",
    "a parameter is blank": "参数为空",
    "a parameter has a wrong format, length or value": "参数的格式、长度或取值有误",
    "mobile number invalid": "手机号无效",
    "parameter type unsupported": "不支持的参数类型",
    "signature charset problem on the server": "服务端签名字符集错误",
    "the body is not a JSON object": "请求体不是 JSON 对象",
    "business failure": "业务处理失败",
    "already verified, nothing to do": "已认证，无需重复认证",
    "the enterprise's operator is not verified": "企业经办人未实名",
    "not verified, change not possible": "未认证，无法变更",
    "identity order does not exist": "认证订单不存在",
    "subject does not exist": "认证主体不存在",
    "this person is not the enterprise's operator": "该用户不是企业经办人",
    "the mobile number must be the one verified": "手机号须与实名手机号一致",
    "account already bound": "账号已绑定",
    "target enterprise not registered": "目标企业未注册",
    "target user not registered": "目标用户未注册",
    "target user closed": "目标用户已注销",
    "account closed": "账号已注销",
    "token missing, or application id invalid": "缺少令牌，或应用 ID 无效",
    "token invalid": "令牌无效",
    "timestamp out of range": "时间戳超出范围",
    "nonce repeated": "nonce 重复",
    "no balance": "余额不足",
    "developer disabled, or without permission for this operation": "开发者已停用，或无此接口的权限",
    "call timed out inside the platform": "平台内部调用超时",
    "rejected as SQL injection": "被判定为 SQL 注入而拒绝",
    "rejected as cross-site scripting": "被判定为跨站脚本而拒绝",
    "unknown server error": "服务端未知错误",
    "hidden error page": "被隐藏的错误页",
    "unknown path, interface disabled, or IP address blocked": "路径不存在、接口停用或 IP 被限制",
    "wrong method for this path": "该路径不支持此请求方法",
    "unhandled exception in the platform": "平台发生未处理的异常",
    "no permission": "无权限",
    "the platform does not know this path": "平台没有此路径",
    "no error code": "无错误码",
    "It hides the platform's error page and says nothing about the token: {possible}": (
        "该响应替代了平台的错误页，与令牌无关：{possible}"
    ),
    (
        "this platform does not offer identification links, as platforms built from the open source do not; use the "
        "hosted platform, or check base_url"
    ): ("该平台不提供认证链接（私有化部署的开源版均不提供）；请使用 SaaS 版，或检查接口地址"),
    (
        "the rate limit, a token of more than 64 characters, or a fault inside the operation, may be behind it; send "
        "fewer calls per second (rate_limit), and set operator_account, if it is not set, with which the platform "
        "reports the cause"
    ): (
        "可能是触发限流、令牌超过 64 个字符，或接口内部故障；请降低每秒请求数（rate_limit），并设置 operator_account（"
        "如尚未设置），平台便会说明原因"
    ),
    (
        "the operation does not exist on this platform or its path is mistyped, the token has more than 64 "
        "characters, or the operation failed inside; check the path, and set operator_account, if it is not set, with "
        "which the platform reports such failures"
    ): (
        "可能是该平台没有此接口或路径有误、令牌超过 64 个字符，或接口内部故障；请检查路径，并设置 operator_account（如"
        "尚未设置），平台便会说明此类故障"
    ),
    "A self-hosted platform built from the open source does not have this operation": (
        "私有化部署的开源版不提供此接口"
    ),
    "the response was cut short": "响应不完整",
    "the file was cut short after {count} bytes": "文件在 {count} 字节后中断",
    "success was reported without a file": "平台返回成功，但没有文件",
    "success was reported before the whole file was sent": "文件尚未发送完毕，平台已返回成功",
    "no byte of the file was sent or received for {seconds} s (Timeouts.stall)": (
        "{seconds} 秒内没有收发文件的任何字节（Timeouts.stall）"
    ),
    "no byte of the file could be read for {seconds} s (Timeouts.stall)": (
        "{seconds} 秒内没有读到文件的任何字节（Timeouts.stall）"
    ),
    "total timeout ({total} s) expired while the file was being read": "总超时（{total} 秒）在读取文件时已到",
    "the connection to {host}:{port} could not be used ({error})": "与 {host}:{port} 的连接不可用（{error}）",
    (
        "HTTP 413: the platform, or a proxy in between, refused a body of {size} bytes, for a file of {file_size}: "
        "raise its limit, or set max_upload to refuse such files before they are sent"
    ): (
        "HTTP 413：平台或中间的代理拒绝了 {size} 字节的请求体（文件 {file_size} 字节）：请提高其上限，或设置 "
        "max_upload 在发送前拒绝此类文件"
    ),
    "it became shorter while it was being sent": "文件在发送过程中变短",
    "it became longer while it was being sent": "文件在发送过程中变长",
    "its contents changed before it was sent": "文件内容在发送前有改动",
    "it was written to while it was waiting or being sent": "文件在等待或发送过程中被写入",
    "its contents changed between two attempts": "文件内容在两次请求之间有改动",
    "{path} cannot be written: {reason}": "无法写入 {path}：{reason}",
    "the system gives no reason": "系统未说明原因",
    "signing is not possible in this state": "当前状态不可签署",
    "framework error document, HTTP {status}": "框架的错误文档，HTTP {status}",
    "undocumented code": "未记载的错误码",
    "a gateway responded with HTTP {status} instead of the platform": "网关返回 HTTP {status}，而非平台响应",
    "it may have taken effect ({error}: {reason}); check the platform before retrying": (
        "操作可能已生效（{error}：{reason}）；重试前请先在平台核实"
    ),
    "total timeout ({total} s) expired in the queue: {waits_for}": "排队时超过总超时（{total} 秒）：{waits_for}",
    "the concurrency of the session is {concurrency}": "会话的并发上限为 {concurrency}",
    "this operation is sent every {interval} s (rate_limit)": "该接口每 {interval} 秒发送一次（rate_limit）",
    "total timeout ({total} s) expired before an attempt": "总超时（{total} 秒）在发出请求前已到",
    "total timeout ({total} s) expired during an attempt": "总超时（{total} 秒）在请求过程中已到",
    "no complete response within {seconds} s (Timeouts.attempt)": "{seconds} 秒内未收到完整响应（Timeouts.attempt）",
    "no complete response in time ({error})": "未及时收到完整响应（{error}）",
    "the request was not written within {seconds} s (Timeouts.attempt)": (
        "{seconds} 秒内未能写完请求（Timeouts.attempt）"
    ),
    "the connection was lost before the response was complete ({error})": "响应完成前连接中断（{error}）",
    "no connection to {host} ({error})": "无法连接 {host}（{error}）",
    "no connection to {host} within {seconds} s (Timeouts.connect)": (
        "{seconds} 秒内未能连接 {host}（Timeouts.connect）"
    ),
    "TLS handshake with {host} failed ({error})": "与 {host} 的 TLS 握手失败（{error}）",
    "{host}:{port} refused the TLS handshake: {alert}": "{host}:{port} 拒绝 TLS 握手：{alert}",
    "{host} does not speak TLS: should base_url start with http:// ?": (
        "{host} 不支持 TLS：base_url 是否应以 http:// 开头？"
    ),
    "the proxy {host}:{port} responded with HTTP {status}": "代理 {host}:{port} 返回 HTTP {status}",
    "the response exceeds {count} bytes": "响应超过 {count} 字节",
    "the response is not valid HTTP{detail}": "响应不是合法的 HTTP{detail}",
    "HTTP {status} redirects to {host}; redirects are not followed, set base_url to the final address": (
        "HTTP {status} 重定向到 {host}；不会跟随重定向，请将 base_url 设为最终地址"
    ),
    "HTTP {status} with {count} bytes of {kind} is not a response from the platform": (
        "HTTP {status}、{count} 字节的 {kind} 不是平台响应"
    ),
    "; base_url lacks the context path, did you mean {url} ?": "；base_url 缺少上下文路径，是否应为 {url} ？",
    "; it is an HTML page, check base_url and any proxy in between": "；这是 HTML 页面，请检查 base_url 与中间的代理",
    "no content type": "无类型内容",
    "an unreadable content type": "类型不可读的内容",
    "the result is unreadable: {problems}": "无法解析返回结果：{problems}",
    "required key missing": "缺少必填字段",
    "expected a string, not {type}": "应为字符串，而不是{type}",
    "expected an integer, not {type}": "应为整数，而不是{type}",
    "expected a boolean, not {type}": "应为布尔值，而不是{type}",
    "expected a list, not {type}": "应为数组，而不是{type}",
    "expected an object, not {type}": "应为对象，而不是{type}",
    "a boolean": "布尔值",
    "an object": "对象",
    "a list": "数组",
    "a string": "字符串",
    "a number": "数字",
    "null": "空值",
    "unknown key {keys}": "未知字段 {keys}",
    "app_auth_token must not be empty: it is issued in the platform's administration pages": (
        "app_auth_token 不能为空：请在平台管理后台获取"
    ),
    "app_auth_token must be printable ASCII without spaces: check it for line breaks and typographic quotes": (
        "app_auth_token 应为不含空格的可打印 ASCII 字符：请检查换行与中文引号"
    ),
    "concurrency must be at least 1, not {count}": "concurrency 至少为 1，而不是 {count}",
    "{name} must be more than 0 seconds, and finite": "{name} 应为大于 0 的有限秒数",
    "{name} must be like {example}: {problem}": "{name} 的格式应如 {example}：{problem}",
    "it contains a space, a backslash or a control character": "含空格、反斜杠或控制字符",
    "it does not start with http:// or https://": "未以 http:// 或 https:// 开头",
    "it has a query or a fragment": "含查询参数或片段",
    "it has a user name or a password": "含用户名或密码",
    "its host or port is invalid": "主机或端口无效",
    "its path has an empty segment, a . or .. segment, a percent-escape or another special character": (
        "路径含空段、. 或 .. 段、百分号转义或其他特殊字符"
    ),
    "no sandbox responds at {url} ({reason}); start it with `kfq sandbox`, or give its --base-url": (
        "{url} 没有沙箱响应（{reason}）；请用 `kfq sandbox` 启动，或指定其 --base-url"
    ),
    "{url} does not respond as a sandbox: check --base-url": "{url} 的响应不是沙箱的响应：请检查 --base-url",
    # States of contracts
    "DRAFT": "草稿（DRAFT）",
    "APPROVING": "审批中（APPROVING）",
    "APPROVE_FAILED": "审批未通过（APPROVE_FAILED）",
    "START": "已发起（START）",
    "WRITING": "填写中（WRITING）",
    "REFUSAL_WRITE": "已拒填（REFUSAL_WRITE）",
    "SIGNING": "签署中（SIGNING）",
    "REFUSAL_SIGN": "已拒签（REFUSAL_SIGN）",
    "EXPIRED": "已过期（EXPIRED）",
    "RECALLED": "已撤回（RECALLED）",
    "COMPLETED": "已完成（COMPLETED）",
    "DELETED": "已删除（DELETED）",
    "CLEAN_UP": "已清除（CLEAN_UP）",
    "SIGN": "签署（SIGN）",
    "WRITE": "填写（WRITE）",
    "APPROVE": "审批（APPROVE）",
    "SENDER": "发起方（SENDER）",
    "PERSONAL": "个人（PERSONAL）",
    "ENTERPRISE": "企业（ENTERPRISE）",
    "in an unknown state": "未知状态",
    "the contract has ended as {status}": "合同已结束，状态为 {status}",
    (
        "the contract is {status} and not COMPLETED, with {tasks}; pass allow_unfinished=True to download its "
        "documents as they are"
    ): ("合同状态为 {status}，尚未完成（COMPLETED），还有 {tasks}；如需按现状下载，请传入 allow_unfinished=True"),
    "the contract is COMPLETED: it is valid, and can no longer be changed, withdrawn or refused": (
        "合同已完成（COMPLETED）：已生效，不能再修改、撤回或拒签"
    ),
    "the contract is COMPLETED as soon as it was started, although a party had to act": (
        "合同一发起即为已完成（COMPLETED），而签署方尚未操作"
    ),
    "the contract was started, and is {status} without an open task, so that nobody can act": (
        "合同已发起，状态为 {status}，但没有待办任务，任何人都无法操作"
    ),
    "the contract is {status} without an open task, so that it cannot go on": (
        "合同状态为 {status}，但没有待办任务，无法继续"
    ),
    "the contract stays in START": "合同停留在 START 状态",
    "the added party has no task, and session.contracts.finish would complete the contract without it": (
        "追加的签署方没有任务，此时调用 session.contracts.finish 会略过该签署方而完成合同"
    ),
    "the contract is a DRAFT: {advice}": "合同是草稿（DRAFT）：{advice}",
    "adding parties would put it back to SIGNING; pass revive=True if that is meant": (
        "追加签署方会使其回到 SIGNING；如确需如此，请传入 revive=True"
    ),
    "withdraw it with session.contracts.recall, and draft it again": (
        "请用 session.contracts.recall 撤回，然后重新创建"
    ),
    "no call changes that: draft it again, and have this one removed by the platform's administrator": (
        "任何调用都无法改变该状态：请重新创建，并请平台管理员删除此合同"
    ),
    "before the contract could be looked at": "尚未能查询合同",
    "while the contract was {status} with {tasks}": "当时合同状态为 {status}，还有 {tasks}",
    (
        "it took effect, but the contract's tasks could not be read afterwards ({error}: {reason}); call "
        "session.contracts.tasks instead of repeating it"
    ): ("操作已生效，但随后未能读取合同的任务（{error}：{reason}）；请调用 session.contracts.tasks，不要重复该操作"),
    # PDF documents and drafts
    "the PDF is tagged (an ActualText over several glyphs): the platform finds no keyword in it": (
        "该 PDF 带有标签（ActualText 覆盖多个字形）：平台在其中找不到任何关键字"
    ),
    "stands in an annotation or form field, which the platform does not search": "位于批注或表单域中，平台不搜索该处",
    "pages with pictures and without text, such as scans: no keyword is found there": (
        "只有图片没有文字的页面（如扫描件）：找不到任何关键字"
    ),
    "is found at the left edge of the page (x = 0): the platform refuses the position": (
        "位于页面左边缘（x = 0）：平台会拒绝该位置"
    ),
    "stands there as {shown}": "该处实际为“{shown}”",
    "only {part}, before the comma, is searched": "只搜索逗号之前的“{part}”",
    "only the text of a PDF is read": "只读取 PDF 的文字",
    "install kfq-async[pdf] before the upload": "请在上传前安装 kfq-async[pdf]",
    "install kfq-async[pdf]": "请安装 kfq-async[pdf]",
    "the PDF is damaged ({error}); save it again with another program": "PDF 已损坏（{error}）；请用其他程序重新保存",
    "the PDF is encrypted; save it without a password": "PDF 已加密；请去除密码后保存",
    "the PDF is too large to be read: {what}": "PDF 过大，无法读取：{what}",
    "reading took longer than {seconds} s": "读取超过 {seconds} 秒",
    "the PDF has no pages": "PDF 没有页面",
    "reading PDFs needs pdfminer.six; run pip install 'kfq-async[pdf]'": (
        "读取 PDF 需要 pdfminer.six；请运行 pip install 'kfq-async[pdf]'"
    ),
    "“{keyword}” was not found": "未找到“{keyword}”",
    "{problem} in one line: on page {page} it is broken over two, so pass a part of it": (
        "{problem}：它在第 {page} 页跨了两行，请改用其中一部分"
    ),
    "page {number} does not exist: the document has {count}": "第 {number} 页不存在：文件共 {count} 页",
    "must have at most {limit} characters, not {length}": "最多 {limit} 个字符，而不是 {length} 个",
    "must not hold characters beyond the basic multilingual plane, such as emoji and rare names": (
        "不能含基本多文种平面之外的字符，例如表情符号与生僻字"
    ),
    "must be after today in China: the day itself is not included": "须晚于今天（中国时间），不含当日",
    "is missing: session.accounts.business_lines lists the business lines": (
        "缺失：可用 session.accounts.business_lines 列出业务线"
    ),
    "is no account of the platform: a mobile number of 11 digits, or an e-mail address": (
        "不是平台账号：应为 11 位手机号或邮箱"
    ),
    "is missing: the sender's seal is needed when the contract starts": "缺失：发起合同时需要发起方的印章",
    "an automatic seal needs a place: pass seal=document.keyword(...)": (
        "自动盖章需要指定位置：请传入 seal=document.keyword(...)"
    ),
    "must name a party; with mode='rule' the business line prescribes the sender": (
        "须至少指定一个签署方；mode='rule' 时发起方由业务线规定"
    ),
    "must be one of {choices}": "应为 {choices} 之一",
    "must not be empty": "不能为空",
    "is missing": "缺失",
    # The sandbox, and its faults
    "{fault} is not a fault such as 'delay:0.2@0.1' or 'lose-response*2': {reason}": (
        "{fault} 不是有效的故障，格式应如 'delay:0.2@0.1' 或 'lose-response*2'：{reason}"
    ),
    "fault {fault} does not exist; the kinds are {kinds}": "没有故障 {fault}；可用类型：{kinds}",
    "fault {fault} does not apply to notifications; those that do are {kinds}": (
        "故障 {fault} 不适用于通知；适用的有 {kinds}"
    ),
    "fault {fault} is always {acted}": "故障 {fault} {acted}",
    "acted on": "总是在执行之后发生",
    "not acted on": "总是在不执行的情况下发生",
    "{text} is neither 'acted' nor 'unacted'": "{text} 既不是 'acted' 也不是 'unacted'",
    "seconds must be finite and 0 or more, not {seconds}": "SECONDS 应为不小于 0 的有限秒数，而不是 {seconds}",
    "times must be 0 or more, not {times}": "TIMES 应不小于 0，而不是 {times}",
    "probability must be between 0 and 1, not {probability}": "PROBABILITY 应为 0 至 1，而不是 {probability}",
    "fixtures: {file} is not JSON: {error}": "--fixtures {file} 不是 JSON：{error}",
    "fixtures: {file} does not have the form of fixtures: {problems}": (
        "--fixtures {file} 的内容不符合要求：{problems}"
    ),
    "is already used at {path}": "与 {path} 重复",
    "names a token that no developer has": "所指令牌不属于任何开发者",
    "is the id of no business line": "不是任何业务线的 ID",
    "is the id of no seal of this person": "不是该个人任何印章的 ID",
    "is the contact of no member of this enterprise": "不是该企业任何成员的联系方式",
    "is the id of no seal of this enterprise": "不是该企业任何印章的 ID",
    "must be a day as yyyy-MM-dd": "应为 yyyy-MM-dd 格式的日期",
    "must be a decimal integer as text": "应为以文本表示的十进制整数",
    'applies to "mode": "rule" only': '仅适用于 "mode": "rule"',
    "the public key is not an RSA key": "公钥不是 RSA 公钥",
    "the public key has {count} bits; at least 1024 are required": "公钥为 {count} 位，至少应为 1024 位",
    "a secret has {count} bytes, fewer than {least}: generate one with os.urandom(32)": (
        "密钥只有 {count} 字节，少于 {least} 字节：请用 os.urandom(32) 生成"
    ),
    "{name} must be like https://your-domain.com/kfq/{same}": "{name} 的格式应如 https://your-domain.com/kfq/{same}",
    "{name} must have neither query nor fragment: the platform's treatment of them is not documented": (
        "{name} 不能含查询参数或片段：平台如何处理它们没有文档依据"
    ),
    "{name} must not hold a user name or password": "{name} 不能含用户名或密码",
    "order {order} does not exist": "订单 {order} 不存在",
    "order {order} does not exist, or has no notification yet": "订单 {order} 不存在，或尚无通知",
    "cannot {action} order {order}: it already has orderStatus {status}": (
        "无法对订单 {order} 执行 {action}：其 orderStatus 已为 {status}"
    ),
    "refuse new connections for SECONDS": "在 SECONDS 秒内拒绝新连接",
    "reset the connection before a request is read": "读取请求前重置连接",
    "reset the connection while the request is read": "读取请求时重置连接",
    "read the request, do not act, reset the connection": "读取请求但不执行，随后重置连接",
    "act, then reset the connection without a response": "执行后不响应，重置连接",
    "close the connection without a response": "不响应，关闭连接",
    "close a kept-alive connection at the moment of its reuse": "复用长连接的瞬间将其关闭",
    "wait SECONDS before reading the request body": "等待 SECONDS 秒后再读取请求体",
    "wait SECONDS before acting": "等待 SECONDS 秒后再执行",
    "act, then wait SECONDS before responding": "执行后等待 SECONDS 秒再响应",
    "send half of the response head, then close": "发送一半响应头后关闭",
    "send half of the response body, then close": "发送一半响应体后关闭",
    "announce more bytes than are sent, then close": "声明的字节数多于实际发送，随后关闭",
    "announce fewer bytes than are sent": "声明的字节数少于实际发送",
    "send one byte every SECONDS": "每 SECONDS 秒发送一个字节",
    "send a body that never ends": "发送无尽的响应体",
    "send 9 MiB of JSON": "发送 9 MiB 的 JSON",
    "compress the response": "压缩响应",
    "label an uncompressed response as gzip": "将未压缩的响应标为 gzip",
    "send code and timestamp as strings of digits": "以数字字符串发送 code 与 timestamp",
    "respond with an HTML page and HTTP 200": "以 HTTP 200 返回 HTML 页面",
    "respond with malformed JSON and HTTP 200": "以 HTTP 200 返回格式错误的 JSON",
    "respond with a JSON list and HTTP 200": "以 HTTP 200 返回 JSON 数组",
    "redirect to another host": "重定向到其他主机",
    "respond as a proxy does when the body is too large": "按代理在请求体过大时的方式响应",
    "respond with HTTP 429, and Retry-After if SECONDS are given": "返回 HTTP 429；给出 SECONDS 时带 Retry-After",
    "respond as a proxy does when the server is unreachable": "按代理在服务不可达时的方式响应",
    "respond with HTTP 503, and Retry-After if SECONDS are given": "返回 HTTP 503；给出 SECONDS 时带 Retry-After",
    "respond as a proxy does when the server times out": "按代理在服务超时时的方式响应",
    "respond with the framework's error document for an unknown path": "返回框架对未知路径的错误文档",
    "respond with the framework's error document and a stack trace": "返回框架的错误文档与堆栈",
    "respond with the hidden error page: HTTP 401, success true beside code 401": (
        "返回被隐藏的错误页：HTTP 401，success 为 true 而 code 为 401"
    ),
    "respond with the internal envelope and code 500": "返回内部响应体结构，code 为 500",
    "respond with an error whose code is null": "返回 code 为 null 的错误",
    "respond with code 31000, business failure": "返回 31000，业务处理失败",
    "respond with code 41001, timestamp out of range": "返回 41001，时间戳超出范围",
    "respond with code 41002, nonce repeated": "返回 41002，nonce 重复",
    "respond with code 43000, call timed out": "返回 43000，调用超时",
    "respond with code 91000, unknown server error": "返回 91000，服务端未知错误",
    "rate limit: respond with code 999999": "触发限流：返回 999999",
    "rate limit: respond with the internal envelope": "触发限流：返回内部响应体结构",
    "rate limit: respond with the framework's error document": "触发限流：返回框架的错误文档",
    "send the same notification twice, the second copy SECONDS later": "同一通知发送两次，第二次晚 SECONDS 秒",
    "sign a notification, send it SECONDS later": "签名后晚 SECONDS 秒再发送通知",
    "sign a notification, send it after the next one, or after SECONDS at the latest": (
        "签名后在下一条通知之后发送，最迟 SECONDS 秒"
    ),
    "change a notification's orderStatus after signing": "签名后改动通知的 orderStatus",
    "send a contract event never": "不发送合同事件",
    "send a contract event again after its delivery, SECONDS later": "合同事件送达后，晚 SECONDS 秒再次发送",
    "send a contract event SECONDS later": "晚 SECONDS 秒发送合同事件",
    "hold a contract event back until it is released": "扣留合同事件，直至放行",
    "send a contract event after the next one, or after SECONDS at the latest": (
        "在下一个合同事件之后发送，最迟 SECONDS 秒"
    ),
    # Faults of the platform that the sandbox imitates
    (
        "Calls that drive contracts and overlap corrupt them, whatever contract or token. Of 90 starts sent at once, "
        "26 were answered with success and 9 were sound; one at a time, 90 of 90 were."
    ): (
        "推动合同的调用在时间上重叠会损坏合同，无论属于哪份合同、哪个令牌。同时发起 90 份，26 份返回成功，其中 9 份完"
        "好；逐份发起则 90 份全部完好。"
    ),
    (
        "A contract with a SIGN_DATE starts, and its signature ends in envelope B, 500. With an automatic seal in the "
        "same contract, the draft is refused with 31000."
    ): (
        "含 SIGN_DATE 的合同可以发起，但签署时返回响应体结构 B，500。同一合同若有自动盖章，则创建时被拒绝，返回 31000。"
    ),
    (
        "With ORDER, a party that is added after the last signature is stored without a task. A finish then completes "
        "the contract without it."
    ): ("顺序签署时，在最后一个签署之后加入的签署方没有任务；此时结束合同会略过该签署方。"),
    "With NO_ORDER, each addition gives all parties open tasks again. Those who have signed have to sign once more.": (
        "无序签署时，每次加入签署方都会让各方重新获得任务，已签署者须再次签署。"
    ),
    (
        "An addition puts a draft, a recalled or a refused contract that is kept open back to SIGNING. A finish then "
        "completes an unsigned draft."
    ): ("对保持打开的草稿、已撤回或已拒签的合同加入签署方，会使其回到 SIGNING；此时结束合同会完成一份未签署的草稿。"),
    (
        "A start that is refused leaves its draft, whose id is not told. Sending the request again makes another "
        "contract."
    ): ("发起被拒绝时会留下草稿且不告知其 ID；再次发送请求会产生另一份合同。"),
    "An approval that is neither 1 nor 0, or absent, is answered with success. It changes nothing.": (
        "审批值既不是 1 也不是 0，或缺失时，返回成功但没有任何效果。"
    ),
    (
        "A finish does not look at the state of a contract that is kept open. On a COMPLETE one it is answered with "
        "success, and the event COMPLETE is sent again."
    ): ("结束合同时不检查保持打开的合同的状态：对已 COMPLETE 的合同也返回成功，并再次发送 COMPLETE 事件。"),
    (
        "Tasks, links, downloads and signatures by proxy do not look at the enterprise of the token. Who knows the id "
        "of another enterprise's contract can read it."
    ): ("查询任务、获取链接、下载与授权签署均不检查令牌所属企业：知道其他企业合同 ID 即可读取该合同。"),
    "A party of an unknown signerType is dropped in free mode. The contract starts without it.": (
        "自由模式下，signerType 未知的签署方会被丢弃，合同照常发起。"
    ),
    (
        "A text that does not fit its column, such as a subject of more than 200 characters or with an emoji, ends in "
        "envelope B, 500. The response does not tell the limit."
    ): ("超出数据库列的文字（如超过 200 个字符或含表情符号的合同名称）返回响应体结构 B，500，且响应不说明上限。"),
    "An expireDate that does not exist rolls over to a later day. Text after the date is ignored.": (
        "不存在的 expireDate 会顺延为之后的日期；日期之后的文字被忽略。"
    ),
    "A contract expires at the beginning of the day that expireDate names. The day itself is not included.": (
        "合同在 expireDate 当日零点到期，不含当日。"
    ),
    "EVEN_NUMBER marks pages 1, 3, 5 and ODD_NUMBER pages 2, 4, 6. A CHOP_STAMP is not affected.": (
        "EVEN_NUMBER 标记第 1、3、5 页，ODD_NUMBER 标记第 2、4、6 页；CHOP_STAMP 不受影响。"
    ),
    (
        "A position without relationDocList gets a document that the platform then cannot find. A draft or a "
        "signature by proxy with one is refused with 31000."
    ): ("缺少 relationDocList 的位置会被填入平台无法找到的文件；含此类位置的创建或授权签署被拒绝，返回 31000。"),
    "The documented defaults of keywordType and signDateFormat do not exist. A position without them is refused.": (
        "文档所述的 keywordType 与 signDateFormat 默认值并不存在；缺少它们的位置会被拒绝。"
    ),
    "A size of NaN is accepted by the draft. The contract cannot be signed.": "创建时接受 NaN 尺寸，但合同无法签署。",
    (
        "An upload skips characters outside the base64 alphabet and does not look into a damaged PDF. Only the draft "
        "that uses the document fails."
    ): ("上传时会跳过 base64 之外的字符，也不检查 PDF 是否损坏；直到创建合同使用该文件时才失败。"),
    "A document whose header is %PDF-2.0 is refused with 31000. Only %PDF-1. at the first byte counts as a PDF.": (
        "文件头为 %PDF-2.0 时被拒绝，返回 31000；只有首字节起为 %PDF-1. 才视为 PDF。"
    ),
    "Two documents of the same name cannot be packed into a ZIP file. The download is refused with 31000.": (
        "两个同名文件无法打包为 ZIP，下载被拒绝，返回 31000。"
    ),
    (
        "Values that the platform fails to handle, such as an order that is no number or a page beyond the document, "
        "end in envelope B, 500. No code tells a missing or malformed field from a fault of the platform."
    ): (
        "平台无法处理的值（如非数字的顺序、超出文件的页码）返回响应体结构 B，500；错误码无法区分字段缺失、格式错误与平"
        "台故障。"
    ),
    (
        "A value of a wrong structure is answered with a message that repeats the whole request body. Token, names "
        "and ID numbers are in it, up to 65,000 characters."
    ): ("结构错误的值会使响应消息重复整个请求体，含令牌、姓名与证件号码，最长 65,000 个字符。"),
    "Some faults are answered with HTTP 401 and a text about an expired token. It says nothing about the token.": (
        "部分故障返回 HTTP 401 与令牌过期的说明，实际与令牌无关。"
    ),
    (
        "A call without uniqueCode, or with one of more than 255 characters, takes effect and is answered with an "
        "error. Sending it again does the same twice."
    ): ("缺少 uniqueCode 或其超过 255 个字符的调用会生效，却返回错误；再次发送会执行两次。"),
    (
        "No event COMPLETE follows when the last signature was made by proxy, in 11 of 11 cases. Only SUBMIT_SIGN "
        "tells that the contract is complete."
    ): ("最后一个签署为授权签署时不会有 COMPLETE 事件（实测 11 次均如此）；只能由 SUBMIT_SIGN 得知合同已完成。"),
    (
        "The event COMPLETE is sent while a contract that is kept open is still SIGNING. It is sent again after the "
        "finish."
    ): ("保持打开的合同仍为 SIGNING 时就会发送 COMPLETE 事件，结束后再次发送。"),
    (
        "The event EXPIRED carries the status before, such as SIGNING. Only the event itself tells that the contract "
        "has expired."
    ): ("EXPIRED 事件携带的是此前的状态（如 SIGNING）；只能由事件本身得知合同已到期。"),
    "Two statuses are spelled REFUSAL_WRIT and COMPLETE. The documentation calls them REFUSAL_WRITE and COMPLETED.": (
        "两个状态实际拼写为 REFUSAL_WRIT 与 COMPLETE，文档中为 REFUSAL_WRITE 与 COMPLETED。"
    ),
    # Findings of kfq doctor and kfq verify-callback
    "not checked: {reason}": "未检查：{reason}",
    "an earlier check failed": "前面的检查未通过",
    "none was given": "未指定",
    "give --token, or set KFQ_APP_AUTH_TOKEN": "请用 --token 指定，或设置 KFQ_APP_AUTH_TOKEN",
    "copy it again from the administration pages": "请从管理后台重新复制",
    "correct --proxy, or the variable of the environment": "请更正 --proxy 或该环境变量",
    "{proxy} is used": "使用代理 {proxy}",
    "give --base-url, such as {url}": "请指定 --base-url，例如 {url}",
    "it holds the API path, which is added to it": "其中含有接口路径，该路径会自动追加",
    "its path holds {path} more than once": "其路径中 {path} 重复出现",
    "give --base-url {url}, where its API responds": "请指定 --base-url {url}，该地址的接口有响应",
    "give --base-url {url}": "请指定 --base-url {url}",
    "none in the environment": "环境变量中没有代理",
    "{proxy} of the environment is used": "使用环境变量中的代理 {proxy}",
    "{proxy} of the environment is not used": "未使用环境变量中的代理 {proxy}",
    "to go through it, run `kfq doctor --trust-env`, and create the session with trust_env=True": (
        "如需经过该代理，请运行 `kfq doctor --trust-env`，并以 trust_env=True 创建会话"
    ),
    "{host}:{port} responds, and its certificate is trusted": "{host}:{port} 有响应，证书可信",
    "{host}:{port} responds on this machine": "本机的 {host}:{port} 有响应",
    "{host}:{port} responds without TLS; whether the network on the way can be trusted is unknown": (
        "{host}:{port} 有响应但未使用 TLS；途经的网络是否可信无从得知"
    ),
    "put a proxy with TLS in front of the platform: token and personal data are sent in plain text": (
        "请在平台前加一层 TLS 代理：令牌与个人信息目前以明文传输"
    ),
    "its API responds": "接口有响应",
    "check --base-url: it ends with the context path, as {url} does": "请检查 --base-url：应以上下文路径结尾，如 {url}",
    "a platform responds, without an API at {url}": "平台有响应，但 {url} 处没有接口",
    "whether it offers {part} is unknown, since nothing documents the response: {response}": (
        "无法判断是否提供{part}，该响应没有文档依据：{response}"
    ),
    "contracts": "合同",
    "identification links": "认证链接",
    "a success": "成功响应",
    "it offers contracts and identification links": "提供合同与认证链接",
    "it offers contracts, and no identification links, as platforms built from the open source do": (
        "提供合同，不提供认证链接，与私有化部署的开源版一致"
    ),
    "no response tells the platform's time": "没有响应带平台时间",
    "the platform's clock agrees with that of this machine": "平台时钟与本机一致",
    "the platform's clock is {seconds} s {direction}": "平台时钟{direction} {seconds} 秒",
    "ahead": "快",
    "behind": "慢",
    "set the clock that is wrong, best with NTP": "请校准有误的一方，建议使用 NTP",
    "the platform accepts it": "平台接受该令牌",
    "the platform neither accepts nor refuses it: {error}": "平台既未接受也未拒绝：{error}",
    "copy the appAuthToken from the administration pages of this platform; each platform has its own": (
        "请从该平台的管理后台复制 appAuthToken；各平台的令牌互不相通"
    ),
    "{host} is this machine, which the platform cannot reach": "{host} 是本机，平台无法访问",
    "give the public URL, such as that of the proxy in front of the service": "请指定公网地址，例如服务前置代理的地址",
    "{where} responds to a GET with HTTP {status}": "{where} 对 GET 返回 HTTP {status}",
    "give the final URL: after a redirect the notification has no body": "请指定最终地址：重定向后通知会丢失请求体",
    "start the service, and check the proxy in front of it": "请启动服务，并检查其前置代理",
    "check the path; a URL of CallbackUrls has one more segment": "请检查路径；CallbackUrls 的地址会多一段",
    "{found}, which does not tell whether it takes notifications": "{found}，无法据此判断能否接收通知",
    "{found}; whether the platform can reach it cannot be seen from this machine": (
        "{found}；平台能否访问，从本机无法判断"
    ),
    "check the proxy in the environment": "请检查环境变量中的代理",
    "check host and port, name lookup and firewalls; behind a proxy, give --trust-env": (
        "请检查主机与端口、域名解析与防火墙；若经代理访问，请加 --trust-env"
    ),
    (
        "for a CA of your own, name its file in --ca-file or SSL_CERT_FILE, or pass AsyncSession(ssl=...); otherwise "
        "the server must send its whole chain"
    ): (
        "如使用自建 CA，请用 --ca-file 或 SSL_CERT_FILE 指定其文件，或传入 AsyncSession(ssl=...)；否则服务端须发送完整"
        "证书链"
    ),
    "renew the certificate of the server; if it is valid, set the clock of this machine": (
        "请更新服务端证书；若证书有效，请校准本机时钟"
    ),
    "set the clock of this machine": "请校准本机时钟",
    "give the host name for which the certificate was issued": "请使用证书所签发的主机名",
    "give a URL that starts with http://, or the port that speaks TLS": (
        "请使用以 http:// 开头的地址，或支持 TLS 的端口"
    ),
    "versions": "版本",
    "base-url": "接口地址",
    "proxy": "代理",
    "connection": "连接",
    "edition": "平台版本",
    "clock": "时钟",
    "token": "令牌",
    "hook": "回调地址",
    "body": "请求体",
    "headers": "请求头",
    "freshness": "时效",
    "signature": "签名",
    "url": "绑定地址",
    "fields": "字段",
    "a JSON object of {size} bytes": "{size} 字节的 JSON 对象",
    "it was {kind}: Content-Length says {length} bytes, and it has {size}": (
        "{kind}：Content-Length 为 {length} 字节，实际为 {size} 字节"
    ),
    "truncated": "被截断",
    "extended": "被加长",
    "re-encoded": "被重新序列化",
    "save the raw bytes, before anything parses the JSON and writes it again": (
        "请在任何组件解析并重新序列化 JSON 之前保存原始字节"
    ),
    "it was truncated: the JSON does not end within its {size} bytes": "被截断：{size} 字节内 JSON 未结束",
    "save the raw bytes; let proxy and framework pass the whole body": "请保存原始字节；代理与框架须完整传递请求体",
    "let proxy and framework pass the whole body": "代理与框架须完整传递请求体",
    "save the raw bytes of the request": "请保存请求的原始字节",
    "{names}: present, once each": "{names}：均存在且各一个",
    "let the proxy pass these headers as they are; other senders, such as scanners, do not have them": (
        "代理须原样传递这些请求头；扫描器等其他来源没有这些请求头"
    ),
    "it is that of --app-id": "与 --app-id 一致",
    "it is not that of --app-id": "与 --app-id 不一致",
    "compare both with the administration pages": "请将两者与管理后台核对",
    "the timestamp is not a number of milliseconds": "时间戳不是毫秒数",
    "the time of reception is not known": "接收时间未知",
    "give --received": "请指定 --received",
    "it was received {seconds} s {direction} its timestamp": "接收时间{direction}时间戳 {seconds} 秒",
    "after": "晚于",
    "before": "早于",
    "the clock of this machine is behind, or that of the sender ahead": "本机时钟偏慢，或发送方时钟偏快",
    "correct the clock of this machine; if it is right, something held the notification back, or replayed it": (
        "请校准本机时钟；若时钟无误，则通知曾被滞留或重放"
    ),
    "the header sign is not base64": "请求头 sign 不是 base64",
    "read the header as it was sent": "请按原样读取该请求头",
    "it has {count} bytes, and those of the keys have {counts}": (
        "长度为 {count} 字节，而各公钥的签名长度为 {counts} 字节"
    ),
    "give the key of the platform that sent it; the header may be cut off": (
        "请指定发送方平台的公钥；该请求头也可能被截断"
    ),
    "none of the keys made it": "不是由所给公钥对应的私钥签名",
    "give the public key of the platform that sent it: each platform, and each sandbox, has its own": (
        "请指定发送方平台的公钥：各平台、各沙箱的公钥互不相同"
    ),
    "it holds, under {key}": "有效，对应{key}",
    "key {number} of {count}": "第 {number}/{count} 个公钥",
    "{key} made it, for the request before it was altered: {alterations}": (
        "由{key}签名，但请求在途中被改动：{alterations}"
    ),
    "{key} made it, for another request: {parts} changed on the way, in no way that is known": (
        "由{key}签名，但对应另一请求：{parts} 在途中被改动，方式未知"
    ),
    "body, path, nonce, timestamp or appId": "请求体、路径、nonce、timestamp 或 appId",
    "save the raw bytes of the body and the raw path; compare --notify with the URL that the platform has": (
        "请保存请求体的原始字节和原始路径，并核对 --notify 与平台上登记的地址是否一致"
    ),
    "save the raw bytes of the body and the raw path; give --notify, if a proxy rewrites the path": (
        "请保存请求体的原始字节与原始路径；若代理改写路径，请指定 --notify"
    ),
    "it holds, for clientRequestId {id}": "有效，clientRequestId 为 {id}",
    "it is the URL of the page, not that of notifications": "这是跳转页的地址，而非通知地址",
    "use it as callback_page only; notifications have a URL of their own": "该地址只能用作 callback_page；通知另有地址",
    "it holds for the path before it was altered: {alteration}": "对改动前的路径有效：{alteration}",
    "the path carries no id with its HMAC": "路径中没有请求标识及其 HMAC",
    "bind each request with CallbackUrls.bind; a request of another program has another URL": (
        "请用 CallbackUrls.bind 绑定每个请求；其他程序的请求地址不同"
    ),
    "the HMAC in the path was made with another secret, or altered": "路径中的 HMAC 由另一密钥生成，或被改动",
    "give the secret that bound the URL; old ones stay in CallbackUrls until their links have expired": (
        "请指定绑定该地址的密钥；旧密钥须保留在 CallbackUrls 中，直至相应链接失效"
    ),
    "those of {kind}": "符合{kind}的字段",
    "a contract event": "合同事件",
    "an identity notification": "认证通知",
    "it is an identity notification, not a contract event": "这是认证通知，而非合同事件",
    "give --app-id": "请指定 --app-id",
    "it is a contract event, not an identity notification": "这是合同事件，而非认证通知",
    "give --event": "请加 --event",
    "the header appId was changed": "请求头 appId 被改动",
    "let the proxy pass it unchanged": "代理须原样传递",
    "pass the raw bytes of the request, before anything decodes or parses them": "请传入未经解码或解析的请求原始字节",
    "a slash was added at the end of the path, or removed": "路径末尾的斜杠被增加或去除",
    "let the proxy pass the path unchanged": "代理须原样传递路径",
    "the proxy rewrote the path of --notify": "代理改写了 --notify 的路径",
    "pass public_path=a function from the path seen to that of --notify": (
        "请传入 public_path=将所见路径还原为 --notify 路径的函数"
    ),
    "the proxy put the prefix {prefix} in front": "代理在路径前加了前缀 {prefix}",
    "pass public_path=a function that removes it": "请传入 public_path=去除该前缀的函数",
    "the proxy removed the prefix {prefix} of the path": "代理去除了路径前缀 {prefix}",
    "pass public_path={prefix}": "请传入 public_path={prefix}",
    "the header sign was form-decoded: + became a space": "请求头 sign 被按表单解码：+ 变成了空格",
    "the header sign was percent-encoded": "请求头 sign 被百分号编码",
    "the header sign is in the URL-safe alphabet of base64": "请求头 sign 使用了 URL 安全的 base64 字符",
    "the padding of the header sign was cut off": "请求头 sign 末尾的填充被去除",
    "a byte order mark was put in front of the body": "请求体前被加上了 BOM",
    "line ends of the body were converted": "请求体的换行符被转换",
    "white space was added around the body": "请求体前后被加上了空白",
    "the saved path has a query, which is not signed": "保存的路径带有查询参数，而查询参数不参与签名",
    "pass the path without its query": "请传入不含查询参数的路径",
    "the path was percent-decoded or -encoded": "路径被百分号解码或编码",
    "pass the raw path, such as scope['raw_path']": "请传入原始路径，例如 scope['raw_path']",
    "the body was read as {encoding}, and written as UTF-8": "请求体被按 {encoding} 读取后又以 UTF-8 写出",
    "the body was converted from UTF-8 to {encoding}": "请求体由 UTF-8 转换成了 {encoding}",
    "the body was parsed and written again": "请求体被解析后重新序列化",
    "line {line} is not like `Name: value`": "第 {line} 行不符合 `Name: value` 格式",
    "it is neither a JSON object of headers, nor an array of pairs": "既不是请求头的 JSON 对象，也不是键值对数组",
    "a header is not text": "请求头不是文本",
    "a header is missing or blank": "缺少请求头或其值为空",
    "a header occurs more than once": "请求头重复出现",
    "a header is not text, or is too long": "请求头不是文本，或过长",
    "the body is not a JSON object in UTF-8": "请求体不是 UTF-8 编码的 JSON 对象",
    "a field is missing or has the wrong type": "字段缺失或类型有误",
    "this is another kind of notification": "这是另一类通知",
    "the path was not issued here": "该路径不是由本服务签发",
}
"""Chinese by English text, as it stands in the source; placeholders stand for values, which are translated in turn."""

_REPORTED: Mapping[str, str] = {
    "the platform reported error {code}": "平台返回错误 {code}",
    "the platform reported an error without a code": "平台返回错误",
    "the platform reported an error with an unknown code": "平台返回错误（未知错误码）",
    "the platform reported an error with an unknown code, see error.code": "平台返回错误（未知错误码）",
}
"""Chinese of the beginning of an error that the platform reported."""
_MESSAGES: Mapping[str, str] = {
    "": "",
    " “{message}”": "“{message}”",
    " “{message}”, in full in error.message.raw": "“{message}”",
    ", whose message is in error.message.raw": "",
    " “{message}”, in full with --show-message": "“{message}”（完整内容请加 --show-message）",
    ", whose message --show-message prints": "（消息内容请加 --show-message）",
}
"""Chinese of the message of such an error, as the library and as the commands show it."""

COMPOSED: Mapping[str, str] = {
    **{
        f"{text}{meaning}{message}": f"{chinese}{bracketed}{shown}"
        for text, chinese in _REPORTED.items()
        for message, shown in _MESSAGES.items()
        for meaning, bracketed in (("", ""), (" ({meaning})", "（{meaning}）"))
    },
    "{problem} @ {place}": "{problem} @ {place}",
    # States of an order of the sandbox
    "NEW": "待认证（NEW）",
    "IDENTIFIED ({status})": "已认证（IDENTIFIED，{status}）",
    "IN_PROGRESS ({status})": "认证中（IN_PROGRESS，{status}）",
    "WITHDRAWN ({status})": "已撤销（WITHDRAWN，{status}）",
    "EXPIRED ({status})": "已失效（EXPIRED，{status}）",
    # Texts of the library as the commands show them
    (
        "the contract is {status} and not COMPLETED, with {tasks}; add --allow-unfinished to download its documents "
        "as they are"
    ): "合同状态为 {status}，尚未完成（COMPLETED），还有 {tasks}；如需按现状下载，请加 --allow-unfinished",
    "withdraw it with `kfq contract recall`, and draft it again": ("请用 `kfq contract recall` 撤回，然后重新创建"),
    (
        "it took effect, but the contract's tasks could not be read afterwards ({error}: {reason}); run `kfq contract "
        "status` instead of repeating it"
    ): ("操作已生效，但随后未能读取合同的任务（{error}：{reason}）；请运行 `kfq contract status`，不要重复该操作"),
    "the contract has ended as {status}: {advice}": "合同已结束，状态为 {status}：{advice}",
    "total timeout ({total} s) expired {moment}": "总超时（{total} 秒）已到：{moment}",
    "total timeout ({total} s) expired {moment}; the last look failed ({error}: {reason})": (
        "总超时（{total} 秒）已到：{moment}；最近一次查询失败（{error}：{reason}）"
    ),
    "1 open task": "1 个待办任务",
    "{count} open tasks": "{count} 个待办任务",
    "HTTP {status} with {count} bytes of {kind} is not a response from the platform{hint}": (
        "HTTP {status}、{count} 字节的 {kind} 不是平台响应{hint}"
    ),
    "{file} is missing: restore it, since the ledger recognises no company without it": (
        "缺少 {file}：没有它台账无法识别任何企业，请恢复该文件"
    ),
    "has a character that no credit code has; correct it": "含统一社会信用代码中不会出现的字符，请更正",
    "has a character that no identity document has; correct it": "含证件号码中不会出现的字符，请更正",
    "has a character that no bank card number has; correct it": "含银行卡号中不会出现的字符，请更正",
    "{problem}, or 身份证": "{problem}，或“身份证”",
    "{operation}: {text} [{phase}, 1 attempt]": "{operation}：{text}［{phase}，尝试 1 次］",
    "{operation}: {text} [{phase}, 0 attempts]": "{operation}：{text}［{phase}］",
    "{operation}: {text} [{phase}, {count} attempts]": "{operation}：{text}［{phase}，尝试 {count} 次］",
    "{operation}: {text} [{phase}, 1 attempt, uniqueCode {code}]": (
        "{operation}：{text}［{phase}，尝试 1 次，uniqueCode {code}］"
    ),
    "{operation}: {text} [{phase}, {count} attempts, uniqueCode {code}]": (
        "{operation}：{text}［{phase}，尝试 {count} 次，uniqueCode {code}］"
    ),
    "the public key is protected by a password: decrypt it first": "公钥有密码保护：请先解密",
    "the public key is neither PEM, nor bare base64 of DER, nor DER, of an RSA public key": (
        "公钥不是 PEM、DER 的纯 base64 或 DER 格式的 RSA 公钥"
    ),
    "the private key is protected by a password: decrypt it first": "私钥有密码保护：请先解密",
    "the private key is neither PEM, nor bare base64 of DER, nor DER, of an RSA private key": (
        "私钥不是 PEM、DER 的纯 base64 或 DER 格式的 RSA 私钥"
    ),
    "{problem}; found instead: “{first}” on page {page}": "{problem}；近似内容：第 {page} 页“{first}”",
    "{problem}; found instead: “{first}” on page {page}, “{second}” on page {page_2}": (
        "{problem}；近似内容：第 {page} 页“{first}”，第 {page_2} 页“{second}”"
    ),
    "{problem}; found instead: “{first}” on page {page}, “{second}” on page {page_2}, “{third}” on page {page_3}": (
        "{problem}；近似内容：第 {page} 页“{first}”，第 {page_2} 页“{second}”，第 {page_3} 页“{third}”"
    ),
    "page {pages} has no text, as a scanned page: pass document.at(...)": (
        "第 {pages} 页没有文字（如扫描件），请用坐标指定位置：document.at(...)"
    ),
    "keyword: “{keyword}” was not found": "未找到关键字“{keyword}”",
    "not_sent": "未发送",
    "sent": "已发送",
    "answered": "平台已响应",
    ";": "；",
    (
        "{guess} the headings are {headings}; if that is a title, choose the row of headings with --header-row; if it "
        "is a cover sheet, another sheet"
    ): ("{guess}现有表头：{headings}；若这是标题，请用 --header-row 指定表头所在行；若这是封面，请指定其他工作表"),
    "the columns {first} and {second} both mean {field}; rename one, or choose one with --column {same}=HEADING": (
        "“{first}”与“{second}”两列都对应 {field}；请将其中一列改名，或用 --column {same}=表头 指定其一"
    ),
}
"""Chinese of texts that the library composes of parts."""

FOREIGN: Mapping[str, str] = {
    "Unknown option: {option}.": "未知选项：{option}。",
    "Unknown option: {option}. Did you mean {other}?": "未知选项：{option}。是否为 {other}？",
    'Unknown command "{command}". Available commands: {commands}.': "未知命令“{command}”。可用命令：{commands}。",
    'Unknown command "{command}". Did you mean "{other}"? Available commands: {commands}.': (
        "未知命令“{command}”。是否为“{other}”？可用命令：{commands}。"
    ),
    'Invalid value "{value}" for {name}. Choose from: {choices}.': "{name} 的值“{value}”无效。可选值：{choices}。",
    'Invalid value "{value}" for {name}. Choose from: {choices}. Did you mean "{other}"?': (
        "{name} 的值“{value}”无效。可选值：{choices}。是否为“{other}”？"
    ),
    'Invalid value "{value}" for {name} from {source}. Choose from: {choices}.': (
        "{source} 中 {name} 的值“{value}”无效。可选值：{choices}。"
    ),
    'Invalid value for {name}: unable to convert "{value}" into {type}.': "{name} 的值“{value}”无效，应为{type}。",
    'Invalid value for {name} from {source}: unable to convert "{value}" into {type}.': (
        "{source} 中 {name} 的值“{value}”无效，应为{type}。"
    ),
    "int": "整数",
    "float": "数字",
    "bool": "布尔值",
    "datetime": "日期",
    "env": "环境变量",
    'Command "{command}" parameter {name} requires an argument.': "命令“{command}”的参数 {name} 缺少值。",
    'Command "{command}" requires {name}.': "命令“{command}”必须指定 {name}。",
    'Command "{command}" requires {name}. Did you mean {other} instead of {given}?': (
        "命令“{command}”必须指定 {name}。是否将 {other} 写成了 {given}？"
    ),
    "Parameter {name} requires an argument.": "{name} 需要一个值。",
    "Parameter {name} specified multiple times.": "{name} 重复指定。",
    "could not convert string to float: {value}": "{value} 不是数字",
    "invalid literal for int() with base 10: {value}": "{value} 不是整数",
    "No such file or directory": "文件或目录不存在",
    "Permission denied": "权限不足",
    "Is a directory": "是目录",
    "Not a directory": "不是目录",
    "No space left on device": "磁盘空间不足",
    "Disk quota exceeded": "超出磁盘配额",
    "Read-only file system": "文件系统为只读",
    "Address already in use": "地址已被占用",
    "Connection refused": "连接被拒绝",
    "error while attempting to bind on address {address}: {reason}": "无法监听地址 {address}：{reason}",
    "address already in use": "地址已被占用",
    "[errno {number}] {reason}": "{reason}",
    "[Errno {number}] {reason}": "{reason}",
    "File exists": "文件已存在",
}
"""Chinese of texts of the option parser (cyclopts) and of the operating system."""
