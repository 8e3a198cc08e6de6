module example.org/idmount

go 1.19
