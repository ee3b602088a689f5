"""Files of customers, CSV and XLSX: read row by row and written row by row, however long they are."""

from customers.files.reading import FileReader, open_file
from customers.files.tables import BadFile
from customers.files.writing import csv_file, xlsx_file

__all__ = ["BadFile", "FileReader", "csv_file", "open_file", "xlsx_file"]
